import { Logger } from '@nestjs/common';
import type { Broker, BrokerState } from '../../broker/broker.js';
import { ClosedError } from '../../errors/delivery.errors.js';
import { EventChannel } from '../../events/event-channel.js';
import type { HealthSnapshot } from '../../events/health-snapshot.js';
import type { ReplyCounters } from '../../rpc/client/replies/reply-counters.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import type { ResolvedClientOsloRpcOptions } from './client-oslo-rpc-options.js';
import { logEvents } from '../shared/event-logger.js';
import type { BrokerLease, SharedBrokers } from '../module/shared-brokers.js';
import { waitAtStartup } from '../shared/startup-policy.js';

const NOTHING_COUNTED: Readonly<ReplyCounters> = {
  replies: 0,
  heartbeats: 0,
  lateReplies: 0,
  unknownReplies: 0,
  repeatedReplies: 0,
  malformedReplies: 0,
};

/** A client's way to its bus, opened when it is first needed. */
export class ClientConnection {
  readonly events = new EventChannel();
  private lease: BrokerLease | undefined;
  private opened: RpcClient | undefined;
  private closing: Promise<void> | undefined;

  /** `follow` is told each state of the broker. */
  constructor(
    private readonly options: ResolvedClientOsloRpcOptions,
    private brokers: SharedBrokers,
    private readonly follow: (state: BrokerState) => void = () => undefined,
  ) {
    if (options.logEvents) logEvents(this.events, new Logger('OsloRpcClient'));
  }

  /**
   * Once it was open it stays what it is: closed, it refuses by itself.
   *
   * @throws ClosedError
   */
  get rpc(): RpcClient {
    if (this.opened) return this.opened;
    if (this.closing) throw new ClosedError('client');
    this.opened = this.open();
    return this.opened;
  }

  /** @throws ClosedError */
  get broker(): Broker {
    if (this.closing) throw new ClosedError('client');
    void this.rpc;
    return this.lease!.broker;
  }

  get counters(): Readonly<ReplyCounters> {
    return this.opened?.counters ?? NOTHING_COUNTED;
  }

  get health(): HealthSnapshot | undefined {
    return this.opened?.health;
  }

  /** From now on on other connections, unless it has its own already. */
  share(brokers: SharedBrokers): void {
    if (!this.opened) this.brokers = brokers;
  }

  /** @throws MessageDeliveryFailure, ClosedError */
  async connect(): Promise<void> {
    await waitAtStartup(this.broker, this.options);
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private open(): RpcClient {
    const { rpc: rpcOptions, target, transportUrl } = this.options;
    const lease = this.brokers.acquire(transportUrl, this.options.broker);
    const rpc = this.clientOn(lease, () => new RpcClient(lease.broker, target, rpcOptions));
    this.lease = lease;
    this.follow(lease.broker.state);
    rpc.events.subscribe((event) => {
      if (event.type === 'connection-changed') this.follow(lease.broker.state);
      this.events.emit(event);
    });
    return rpc;
  }

  /** A client whose options make no sense needs no broker. */
  private clientOn(lease: BrokerLease, create: () => RpcClient): RpcClient {
    try {
      return create();
    } catch (error) {
      void lease.release();
      throw error;
    }
  }

  private async end(): Promise<void> {
    await this.opened?.close();
    await this.lease?.release();
    this.follow('closed');
  }
}
