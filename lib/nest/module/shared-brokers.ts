import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Broker } from '../../broker/broker.js';
import { makeBroker } from '../../broker/connect-broker.js';
import { type RabbitOptions, resolveRabbitOptions } from '../../config/rabbit-options.js';
import { formatTransportUrl, parseTransportUrl } from '../../config/transport-url.js';
import { busOptionsFromUrl } from '../../config/bus-options.js';

/** A broker in use; whoever holds one gives it back once. */
export interface BrokerLease {
  readonly broker: Broker;
  /** The last one to give a broker back closes it. Idempotent. */
  release(): Promise<void>;
}

interface SharedBroker {
  readonly broker: Broker;
  users: number;
}

/** The brokers of one application: one for each bus, login and set of connection options, as long as it is used. */
@Injectable()
export class SharedBrokers {
  private readonly shared = new Map<string, SharedBroker>();
  /** A broker is made when it is first needed, which may be inside a request; it is none of that. */
  private readonly outsideRequests = AsyncLocalStorage.snapshot();

  /** @throws InvalidTransportUrl, ConfigurationError */
  acquire(url: string, options: RabbitOptions): BrokerLease {
    const key = connectionKey(url, options);
    const known = this.shared.get(key);
    const entry = known && known.broker.state !== 'closed' ? known : this.open(key, url, options);
    entry.users += 1;
    let released: Promise<void> | undefined;
    return { broker: entry.broker, release: () => (released ??= this.giveBack(key, entry)) };
  }

  /** A start that fails leaves no connection behind that would keep the process alive. */
  async closeAll(): Promise<void> {
    const entries = [...this.shared.values()];
    this.shared.clear();
    await Promise.all(entries.map(({ broker }) => broker.close()));
  }

  private open(key: string, url: string, options: RabbitOptions): SharedBroker {
    const entry = { broker: this.outsideRequests(() => makeBroker(url, options, 'when needed')), users: 0 };
    this.shared.set(key, entry);
    return entry;
  }

  private async giveBack(key: string, entry: SharedBroker): Promise<void> {
    entry.users -= 1;
    if (entry.users > 0) return;
    if (this.shared.get(key) === entry) this.shared.delete(key);
    await entry.broker.close();
  }
}

/** Equal for equal connections: options count the same in the URL and beside it; a name nobody chose does not count. */
function connectionKey(url: string, options: RabbitOptions): string {
  const parsed = parseTransportUrl(url);
  const { connectionName, kafka, sslKey, sslKeyPassphrase } = options;
  const below = busOptionsFromUrl(parsed);
  const { sslClientKeyPassword } = { ...below.kafka, ...kafka };
  const secrets = { sslKey, sslKeyPassphrase, sslClientKeyPassword };
  const resolved = { ...resolveRabbitOptions(options, below), connectionName, ...secrets };
  const sorted = Object.entries(resolved).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([formatTransportUrl({ ...parsed, ssl: undefined, query: {} }), sorted]);
  // The secrets in it are to be seen nowhere.
  return createHash('sha256').update(text).digest('hex');
}
