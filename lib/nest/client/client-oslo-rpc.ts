import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { connectable, defer, Observable, Subject } from 'rxjs';
import type { Broker } from '../../broker/broker.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { HealthSnapshot } from '../../events/health-snapshot.js';
import { CallSites, showCallSite, type CallSite } from '../../rpc/client/call-site.js';
import type { RpcArguments } from '../../rpc/client/rpc-call-context.js';
import { ClientConnection } from './client-connection.js';
import {
  resolveClientOsloRpcOptions,
  type ClientOsloRpcOptions,
  type ResolvedClientOsloRpcOptions,
} from './client-oslo-rpc-options.js';
import { listenTo, type OsloEvents } from '../shared/oslo-events.js';
import { requirePattern } from '../shared/oslo-rpc.pattern.js';
import { OsloRpcRecord, type OsloRpcRecordOptions } from './oslo-rpc.record.js';
import { PreparedCalls } from './prepared-calls.js';
import { inCurrentContext } from '../shared/request-context.store.js';
import { SharedBrokers } from '../module/shared-brokers.js';

/**
 * Nest's client proxy for oslo.messaging servers: `send()` calls, `emit()` casts.
 *
 * @example
 * ```ts
 * ClientsModule.register([
 *   { name: 'CONDUCTOR', customClass: ClientOsloRpc, options: { exchange: 'nova', topic: 'conductor' } },
 * ]);
 * // where it is injected
 * client.send({ namespace: 'baseapi', method: 'ping', version: '1.0' }, { arg: 'hi' }).subscribe(console.log);
 * client.emit({ method: 'reload', fanout: true }, {});
 * ```
 *
 * @publicApi
 */
export class ClientOsloRpc extends ClientProxy<OsloEvents> {
  /** Everything that this client reports, and its connection. */
  readonly events: EventChannel;
  private readonly options: ResolvedClientOsloRpcOptions;
  private readonly connection: ClientConnection;
  private readonly callSites: CallSites;
  private calls: PreparedCalls | undefined;

  /** @throws InvalidTransportUrl, ConfigurationError */
  constructor(options: ClientOsloRpcOptions = {}) {
    super();
    this.options = resolveClientOsloRpcOptions(options);
    this.callSites = new CallSites(this.options.callSite);
    this.connection = new ClientConnection(this.options, new SharedBrokers(), (state) => this._status$.next(state));
    this.events = this.connection.events;
  }

  /** How this client is right now; undefined until it is first used, which connects it. */
  get health(): HealthSnapshot | undefined {
    return this.connection.health;
  }

  /**
   * Resolves when the bus is reachable. Not needed before `send()` and `emit()`, which connect by
   * themselves: what they send waits for the connection as long as its timeout and `retry` allow.
   *
   * @throws MessageDeliveryFailure not reachable, as `startup` says
   * @throws ClosedError
   */
  connect(): Promise<void> {
    return this.connection.connect();
  }

  /** Disconnects; pending calls end with `ClosedError`. Idempotent. */
  close(): Promise<void> {
    return this.connection.close();
  }

  /**
   * Uses an application's connections instead of its own, unless it has some already.
   *
   * @internal
   */
  shareBrokers(brokers: SharedBrokers): void {
    this.connection.share(brokers);
  }

  /**
   * A call of the method that the pattern names, with keyword arguments; made anew for each subscriber.
   * Unsubscribing forgets it. With `multicall: true` in the pattern it gives each value that the server sends; without it,
   * the last.
   */
  override send<Result = unknown, Input = unknown>(pattern: unknown, data: Input): Observable<Result> {
    // The user's line, which has to be taken here: rxjs subscribes from lines of its own.
    const site = this.callSites.capture(this.send);
    return new Observable<Result>((observer) => {
      return this.publish(this.packetOf(pattern, data, site), inCurrentContext(this.createObserver(observer)));
    });
  }

  /** A cast, at once; the observable completes when the broker has confirmed it. A failure is reported in any case. */
  override emit<Result = unknown, Input = unknown>(pattern: unknown, data: Input): Observable<Result> {
    const site = this.callSites.capture(this.emit);
    const sent = connectable(
      defer(() => this.dispatchEvent<Result>(this.packetOf(pattern, data, site))),
      { connector: () => new Subject<Result>(), resetOnDisconnect: false },
    );
    sent.connect();
    return sent;
  }

  /** Listeners stay, whatever happens to the connection. */
  override on<Type extends keyof OsloEvents>(event: Type, listener: OsloEvents[Type]): void {
    listenTo(this.events, event, listener);
  }

  /** The `Broker` under this client. */
  unwrap<T = Broker>(): T {
    return this.connection.broker as T;
  }

  protected publish(packet: SitedPacket, callback: (packet: WritePacket) => void): () => void {
    const fail = (error: unknown): void => callback({ err: error, isDisposed: true });
    try {
      const { call, method, args, options, isMulticall } = this.requestOf(packet);
      const { site } = packet;
      if (isMulticall) {
        const next = (value: unknown): void => callback({ response: value });
        const resolve = (): void => callback({ isDisposed: true });
        return call.openCall(method, args, options, { next, resolve, reject: fail, site });
      }
      // Nest takes `undefined` for no answer at all.
      const resolve = (response: unknown): void => callback({ response: response ?? null, isDisposed: true });
      return call.openCall(method, args, options, { resolve, reject: fail, site });
    } catch (error) {
      fail(showCallSite(error, packet.site));
      return () => undefined;
    }
  }

  protected async dispatchEvent<T>(packet: SitedPacket): Promise<T> {
    try {
      const { call, method, args, options } = this.requestOf(packet);
      return (await call.cast(method, args, options)) as T;
    } catch (error) {
      throw showCallSite(error, packet.site);
    }
  }

  /** Nest 12's `createPacket`; its hook is never set in Nest 11. */
  private packetOf(pattern: unknown, data: unknown, site: CallSite | undefined): SitedPacket {
    const packet: SitedPacket = { pattern, data };
    this.onDispatchHook?.(packet);
    packet.site = site;
    return packet;
  }

  private requestOf({ pattern, data }: ReadPacket) {
    const read = requirePattern(pattern);
    const isRecord = data instanceof OsloRpcRecord;
    const { context, timeout }: OsloRpcRecordOptions = isRecord ? data.options : NO_OPTIONS;
    return {
      call: this.prepared.for(read, timeout),
      method: read.method,
      args: (isRecord ? data.args : data) as RpcArguments,
      options: context === undefined ? NO_OPTIONS : { context },
      isMulticall: read.multicall === true,
    };
  }

  private get prepared(): PreparedCalls {
    const { rpc } = this.connection;
    this.calls ??= new PreparedCalls(rpc);
    return this.calls;
  }
}

/** A packet that remembers who sent it. */
type SitedPacket = ReadPacket & { site?: CallSite | undefined };

const NO_OPTIONS = {};
