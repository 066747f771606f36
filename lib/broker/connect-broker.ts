import { checkOptions, type OptionRules } from '../config/option-rule.js';
import { OPTION_TABLE } from '../config/option-table.js';
import {
  RABBIT_OPTION_RULES,
  type RabbitOptions,
  type ResolvedRabbitOptions,
  resolveRabbitOptions,
} from '../config/rabbit-options.js';
import { hostsWithoutCredentials, parseTransportUrl, type TransportUrl } from '../config/transport-url.js';
import { busOptionsFromUrl } from '../config/bus-options.js';
import type { Broker } from './broker.js';
import { MemoryLinks } from './memory/memory-link.js';
import type { MemoryBus } from './memory/memory-bus.js';
import { namedBus } from './memory/named-bus.js';
import { Engine } from './engine/engine.js';
import { KafkaBroker } from './kafka/kafka-broker.js';
import { RabbitLinks } from './rabbit/rabbit-links.js';

/**
 * How to connect, beside the options of the bus.
 *
 * @publicApi
 */
export interface ConnectBrokerOptions extends RabbitOptions {
  /** Milliseconds to wait for the bus; 0: one attempt. @defaultValue without limit */
  startupTimeoutMs?: number;
}

const CONNECT_RULES: OptionRules<ConnectBrokerOptions> = {
  ...RABBIT_OPTION_RULES,
  startupTimeoutMs: OPTION_TABLE.startupTimeoutMs,
};

/**
 * Makes the broker for a transport URL and returns at once; connecting goes on in the background.
 *
 * `rabbit://…` is RabbitMQ; `memory://` and `memory://name` are buses inside this process, one per
 * name. `options` rule over those in the URL's query, which have their oslo names.
 *
 * @throws InvalidTransportUrl
 * @throws ConfigurationError an option is unknown or has a wrong value
 * @publicApi
 */
export function createBroker(url: string, options?: RabbitOptions): Broker {
  return makeBroker(url, options, 'at once');
}

/** The same, for whoever does not know yet whether it will be needed. */
export function makeBroker(
  url: string,
  options: RabbitOptions | undefined,
  connecting: 'at once' | 'when needed',
): Broker {
  const transportUrl = parseTransportUrl(url);
  const resolved = resolveRabbitOptions(options, busOptionsFromUrl(transportUrl));
  if (transportUrl.transport === 'rabbit') {
    const { hosts, masked, virtualHost } = transportUrl;
    const links = new RabbitLinks(virtualHost, resolved);
    const broker = new Engine({ links, hosts, url: masked }, resolved, connecting);
    return reportingMissingCredentials(broker, transportUrl, "what is missing is 'guest'");
  }
  if (transportUrl.transport === 'kafka') {
    const broker = new KafkaBroker(transportUrl, resolved, connecting);
    return reportingMissingCredentials(broker, transportUrl, 'those of the first host that has some count for all');
  }
  const name = transportUrl.hosts[0]?.hostname ?? '';
  return memoryBroker(namedBus(name), `memory://${name}`, resolved, connecting);
}

function reportingMissingCredentials(broker: Broker, transportUrl: TransportUrl, consequence: string): Broker {
  const hosts = hostsWithoutCredentials(transportUrl);
  if (hosts.length === 0) return broker;
  const message = `Some hosts of ${broker.url} have a user name and password, and not ${hosts.join(', ')}; ${consequence}`;
  // Listeners of this turn hear of it as well.
  queueMicrotask(() => broker.events.emit({ type: 'credentials-missing', level: 'warn', message, hosts }));
  return broker;
}

/** A client of a bus inside this process. */
export function memoryBroker(
  bus: MemoryBus,
  url: string,
  options: ResolvedRabbitOptions,
  connecting?: 'at once' | 'when needed',
): Broker {
  const hosts = [{ hostname: url, port: 0 }];
  // A bus inside the process has no streams, and ends with it: names need not stay.
  const ofBus = { ...options, rabbitStreamFanout: false, useQueueManager: false };
  const broker = new Engine({ links: new MemoryLinks(bus, url), hosts, url }, ofBus, connecting);
  bus.register(broker);
  broker.events.watch(() => {
    if (broker.state === 'closed') bus.unregister(broker);
  });
  return broker;
}

/**
 * Makes the broker for a transport URL and waits until the bus is reachable. What cannot be reached is closed again.
 *
 * @example
 * ```ts
 * const broker = await connectBroker('rabbit://guest:guest@127.0.0.1:5672/', { startupTimeoutMs: 10_000 });
 * const server = new RpcServer(broker, { topic: 'conductor', server: 'host1' }, [{ methods: { ping: () => 'pong' } }]);
 * const client = new RpcClient(broker, { topic: 'conductor' });
 * // …
 * await broker.close();
 * ```
 *
 * @throws InvalidTransportUrl
 * @throws ConfigurationError an option is unknown or has a wrong value
 * @throws MessageDeliveryFailure the bus was not reachable within `startupTimeoutMs`
 * @publicApi
 */
export async function connectBroker(url: string, options?: ConnectBrokerOptions): Promise<Broker> {
  checkOptions('connectBroker', options, CONNECT_RULES);
  const { startupTimeoutMs, ...rest } = options ?? {};
  const broker = createBroker(url, rest);
  try {
    await broker.connected(startupTimeoutMs);
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}
