import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import type { OsloEvents, OsloStatus } from '../shared/oslo-events.js';
import { ServerOsloRpc } from './server-oslo-rpc.js';

type StartHook = Parameters<Server['setOnProcessingStartHook']>[0];
type EndHook = Parameters<Server['setOnProcessingEndHook']>[0];

/**
 * The strategy of `OsloRpcModule.strategy()`: stands for the `ServerOsloRpc` of the application's `OsloRpcModule`, which is
 * made after it. What it does, that server does.
 *
 * @hideconstructor
 * @publicApi
 */
export class OsloRpcStrategy extends Server<OsloEvents, OsloStatus> implements CustomTransportStrategy {
  /** Failed event handlers are awaited and reported, so Nest need not. */
  override readonly propagatesEventHandlerErrors = true;
  private bound: ServerOsloRpc | undefined;

  constructor(transportId: symbol) {
    super();
    this.transportId = transportId;
  }

  /**
   * The server that it stands for, as soon as Nest has the strategy.
   *
   * @throws ConfigurationError the application has no `OsloRpcModule` with options, or none of this transport id
   */
  get server(): ServerOsloRpc {
    if (this.bound) return this.bound;
    throw new ConfigurationError(
      'OsloRpcModule.strategy() has not found the options of its bus: import ' +
        "OsloRpcModule.forRoot({ transportUrl, exchange, serve: { topic } }) into the application's root module" +
        (this.transportId === undefined ? '' : `, of the transport id ${String(this.transportId)}`),
    );
  }

  /** @internal */
  get isBound(): boolean {
    return this.bound !== undefined;
  }

  /** @internal */
  bind(server: ServerOsloRpc | undefined): void {
    this.bound = server;
    if (!server) return;
    this._status$ = server['_status$'];
    if (this.onProcessingStartHook) server.setOnProcessingStartHook(this.onProcessingStartHook as StartHook);
    if (this.onProcessingEndHook) server.setOnProcessingEndHook(this.onProcessingEndHook as EndHook);
  }

  override setOnProcessingStartHook(hook: StartHook): void {
    super.setOnProcessingStartHook(hook);
    this.bound?.setOnProcessingStartHook(hook);
  }

  override setOnProcessingEndHook(hook: EndHook): void {
    super.setOnProcessingEndHook(hook);
    this.bound?.setOnProcessingEndHook(hook);
  }

  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler?: boolean,
    extras?: Record<string, unknown>,
  ): void {
    this.server.addHandler(pattern, callback, isEventHandler, extras);
  }

  override getHandlers(): Map<string, MessageHandler> {
    return this.server.getHandlers();
  }

  /** Calls back once: without an error when requests can come in, else with what prevents it. */
  listen(callback: (error?: unknown) => unknown): void {
    this.server.listen(callback);
  }

  /** Drains, and disconnects. Idempotent. */
  async close(): Promise<void> {
    await this.bound?.close();
  }

  on<Type extends keyof OsloEvents>(event: Type, listener: OsloEvents[Type]): void {
    this.server.on(event, listener);
  }

  /** The `Broker` under the server. */
  unwrap<T>(): T {
    return this.server.unwrap<T>();
  }
}

/** The server that one of Nest's targets is, or stands for. */
export function serverBehind(target: unknown): ServerOsloRpc | undefined {
  if (target instanceof OsloRpcStrategy) return target.isBound ? target.server : undefined;
  return target instanceof ServerOsloRpc ? target : undefined;
}
