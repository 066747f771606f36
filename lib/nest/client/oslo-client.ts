import type { Broker } from '../../broker/broker.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { HealthSnapshot } from '../../events/health-snapshot.js';
import type { ReplyCounters } from '../../rpc/client/replies/reply-counters.js';
import { ClientConnection } from './client-connection.js';
import { resolveClientOsloRpcOptions, type ClientOsloRpcOptions } from './client-oslo-rpc-options.js';
import type { AnyOsloApi } from './oslo-api.js';
import { OsloCallContext } from './oslo-call-context.js';
import { SharedBrokers } from '../module/shared-brokers.js';

/**
 * Calls and casts with promises, typed by the interface of the servers. `OsloRpcModule.forFeature` makes,
 * connects and closes it.
 *
 * @example
 * ```ts
 * interface ConductorApi {
 *   ping(args: { arg: string }): string;
 *   reload(): void;
 * }
 *
 * constructor(@InjectOsloClient('CONDUCTOR') private readonly conductor: OsloClient<ConductorApi>) {}
 *
 * await this.conductor.call('ping', { arg: 'hi' });
 * await this.conductor.prepare({ server: 'host1', timeout: 5 }).call('ping', { arg: 'hi' });
 * await this.conductor.fanout('reload');
 * await this.conductor.proxy().ping({ arg: 'hi' });
 * ```
 *
 * @publicApi
 */
export class OsloClient<Api extends object = AnyOsloApi> extends OsloCallContext<Api> {
  /** Everything that this client reports, and its connection. */
  readonly events: EventChannel;
  private readonly connection: ClientConnection;

  /**
   * With `brokers`, which the module hands over, it shares the application's connections, and its log. Without them it writes
   * nothing to stdout: warnings and errors go to stderr, unless `logEvents` is set or `events` has a listener.
   *
   * @throws InvalidTransportUrl, ConfigurationError
   */
  constructor(options: ClientOsloRpcOptions = {}, brokers?: SharedBrokers) {
    const resolved = resolveClientOsloRpcOptions(options, brokers !== undefined);
    const connection = new ClientConnection(resolved, brokers ?? new SharedBrokers());
    super(() => connection.rpc);
    this.connection = connection;
    this.events = connection.events;
  }

  /** Replies, heartbeats, late and unknown replies so far, of all clients on its connection. */
  get counters(): Readonly<ReplyCounters> {
    return this.connection.counters;
  }

  /** How this client is right now; undefined until it is first used, which connects it. */
  get health(): HealthSnapshot | undefined {
    return this.connection.health;
  }

  /**
   * Resolves when the bus is reachable, or as `startup` says. Not needed before the first call, which
   * connects by itself.
   *
   * @throws MessageDeliveryFailure, ClosedError
   */
  connect(): Promise<void> {
    return this.connection.connect();
  }

  /** Pending calls end with `ClosedError`; the last client to leave a connection closes it. Idempotent. */
  close(): Promise<void> {
    return this.connection.close();
  }

  /** The `Broker` under this client. */
  unwrap<T = Broker>(): T {
    return this.connection.broker as T;
  }
}
