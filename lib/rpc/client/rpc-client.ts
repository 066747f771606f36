import { type Broker, rpcSeamOf } from '../../broker/broker.js';
import type { EventChannel } from '../../events/event-channel.js';
import { healthOf, type HealthSnapshot } from '../../events/health-snapshot.js';
import type { Target } from '../../wire/target.js';
import { initialSettings } from './call-settings.js';
import { ClientTransport } from './client-transport.js';
import { RpcCallContext } from './rpc-call-context.js';
import type { ReplyCounters } from './replies/reply-counters.js';
import { resolveRpcClientOptions, type RpcClientOptions } from './rpc-client-options.js';

/**
 * Calls and casts to oslo.messaging servers, without Nest. Mirrors `oslo_messaging.RPCClient`.
 *
 * @example
 * ```ts
 * const broker = await connectBroker('rabbit://guest:guest@127.0.0.1:5672/');
 * const conductor = new RpcClient(broker, { exchange: 'nova', topic: 'conductor', version: '1.0' });
 * await conductor.call('ping', { arg: 'hi' });
 * await conductor.prepare({ server: 'host1', timeout: 5 }).call('ping', { arg: 'hi' });
 * await conductor.fanout('reload');
 * await conductor.close();
 * await broker.close();
 * ```
 *
 * @publicApi
 */
export class RpcClient extends RpcCallContext {
  /**
   * @throws InvalidTarget, ConfigurationError for a target or options that make no sense
   */
  constructor(broker: Broker, target: Target, options: RpcClientOptions = {}) {
    const resolved = resolveRpcClientOptions(options);
    const settings = initialSettings(target, resolved);
    super(new ClientTransport(rpcSeamOf(broker), resolved), settings);
  }

  /** Everything that this client reports, and its broker. */
  get events(): EventChannel {
    return this.transport.events;
  }

  /** Replies, heartbeats, late and unknown replies of the broker's reply queue so far. */
  get counters(): Readonly<ReplyCounters> {
    return { ...this.transport.inbox.counters };
  }

  /** Calls that wait for an answer, of all clients on this broker. */
  get pendingCalls(): number {
    return this.transport.inbox.pendingCalls;
  }

  /** The queue that answers come to. */
  get replyQueue(): string {
    return this.transport.inbox.queue;
  }

  /** How this client is right now; turns before a call fails. `consuming` is about its reply queue. */
  get health(): HealthSnapshot {
    const { broker, inbox, isClosed } = this.transport;
    return healthOf(broker.state, inbox.isConsuming, isClosed);
  }

  /**
   * Rejects pending calls with `ClosedError` and gives up the reply queue; casts go out first, for 5 s at most, while
   * the broker is connected. The broker stays open. Idempotent.
   */
  close(): Promise<void> {
    return this.transport.close();
  }
}
