import type { RpcAccessPolicy } from '../../rpc/server/access-policy.js';
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { type BaseRpcContext, type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import type { Broker } from '../../broker/broker.js';
import { type RabbitOptions, rabbitOptionsOf } from '../../config/rabbit-options.js';
import { ClosedError } from '../../errors/delivery.errors.js';
import { textWithCause } from '../../errors/text-of.js';
import { EventChannel } from '../../events/event-channel.js';
import { isThenable } from '../../events/is-thenable.js';
import { healthOf, type HealthSnapshot } from '../../events/health-snapshot.js';
import type { IncomingRequest } from '../../rpc/server/incoming-request.js';
import type { SendValue } from '../../rpc/server/multicall.js';
import type { RpcEndpoint } from '../../rpc/server/rpc-endpoint.js';
import { RpcServer } from '../../rpc/server/rpc-server.js';
import { HandlerFailures } from './errors/handler-failures.js';
import { handlerName } from './handler-names.js';
import { tellAnswer } from './handler-answer.js';
import { listenTo, type OsloEvents, type OsloStatus } from '../shared/oslo-events.js';
import { logEvents } from '../shared/event-logger.js';
import { endpointOf, type HandlerCalls, type ServedEndpoint } from './served-endpoint.js';
import { PatternRegistry, patternKey } from './pattern-registry.js';
import { OsloRpcContext } from './oslo-rpc.context.js';
import { readPattern } from '../shared/oslo-rpc.pattern.js';
import { runRequest } from './running-request.js';
import { SharedBrokers, type BrokerLease } from '../module/shared-brokers.js';
import { waitAtStartup } from '../shared/startup-policy.js';
import {
  resolveServerOsloRpcOptions,
  type ResolvedServerOsloRpcOptions,
  type ServerOsloRpcOptions,
} from './server-oslo-rpc-options.js';

/** Told what Nest does with a server. */
export interface ServerWatcher {
  handlerAdded(): void;
  listening(): void;
}

/**
 * Serves a Nest application's handlers to oslo.messaging clients: the `strategy` of a microservice.
 *
 * @example
 * ```ts
 * const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
 *   strategy: new ServerOsloRpc({ exchange: 'nova', topic: 'conductor' }),
 * });
 * await app.listen();
 *
 * // in a controller
 * @MessagePattern({ namespace: 'baseapi', method: 'ping', version: '1.1' })
 * ping(@Payload() args: { arg: string }) {
 *   return `pong ${args.arg}`;
 * }
 * ```
 *
 * @publicApi
 */
export class ServerOsloRpc extends Server<OsloEvents, OsloStatus> implements CustomTransportStrategy {
  /** Everything that this server reports, and its connection. */
  readonly events = new EventChannel();
  /** Failed event handlers are awaited and reported, so Nest need not. */
  override readonly propagatesEventHandlerErrors = true;
  protected override readonly logger = new Logger(ServerOsloRpc.name);
  private readonly options: ResolvedServerOsloRpcOptions;
  private readonly registry = new PatternRegistry();
  private readonly failures = new HandlerFailures(this.events);
  private readonly calls: HandlerCalls = {
    call: (handler, request, send) => this.call(handler, request, send),
    reportFurther: (error, request) => this.failures.reportFurther(error, request),
  };
  private watcher: ServerWatcher | undefined;
  private brokers = new SharedBrokers();
  private lease: BrokerLease | undefined;
  private rpc: RpcServer | undefined;
  private starting: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** @throws InvalidTransportUrl, ConfigurationError */
  constructor(options: ServerOsloRpcOptions = {}) {
    super();
    this.options = resolveServerOsloRpcOptions(options);
    this.transportId = this.options.transportId;
    if (this.options.logEvents) logEvents(this.events, this.logger, (error) => this.failures.levelOf(error));
  }

  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    Object.assign(callback, { isEventHandler, extras });
    this.watcher?.handlerAdded();
    const read = readPattern(pattern);
    if (!read) return this.logger.debug(`Not a method of oslo.messaging, left alone: ${inspect(pattern)}`);
    this.registry.add({ pattern: read, callback, isEvent: isEventHandler, name: handlerName(extras) });
    const key = patternKey(read);
    if (!this.messageHandlers.has(key)) this.messageHandlers.set(key, callback);
  }

  /** Calls back once: without an error when requests can come in, else with what prevents it. */
  listen(callback: (error?: unknown) => unknown): void {
    void this.listenAndTell(callback);
  }

  /**
   * Stops without losing work, and keeps the connection: no new requests, what has not started goes back
   * to its queue, what runs ends and is answered, within `shutdownTimeoutMs`. Idempotent.
   */
  async drain(): Promise<void> {
    await this.rpc?.drain();
  }

  /** Drains, and disconnects. Idempotent. */
  close(): Promise<void> {
    this.closing ??= this.disconnect();
    return this.closing;
  }

  /** Listeners stay, whatever happens to the connection. */
  on<Type extends keyof OsloEvents>(event: Type, listener: OsloEvents[Type]): void {
    listenTo(this.events, event, listener);
  }

  /** How this server is right now. */
  get health(): HealthSnapshot {
    return this.rpc?.health ?? healthOf('closed', false, this.closing !== undefined);
  }

  /** The `Broker` under this server. */
  unwrap<T = Broker>(): T {
    if (this.lease) return this.lease.broker as T;
    throw new Error('Not connected yet: listen() comes first');
  }

  /**
   * Exchange and topic, for its clients.
   *
   * @internal
   */
  get address(): RabbitOptions & { transportUrl: string; exchange: string; topic?: string } {
    const { broker, exchange, topic, transportUrl } = this.options;
    return { ...rabbitOptionsOf(broker), transportUrl, exchange, topic };
  }

  /**
   * Uses an application's connections instead of its own, unless it has some already.
   *
   * @internal
   */
  shareBrokers(brokers: SharedBrokers, watcher?: ServerWatcher): void {
    if (!this.lease) this.brokers = brokers;
    this.watcher = watcher;
  }

  private async listenAndTell(callback: (error?: unknown) => unknown): Promise<void> {
    const failure = await this.start().then(
      () => undefined,
      (error: unknown) => error,
    );
    try {
      await callback(failure);
    } catch (error) {
      this.logger.error(error);
    }
  }

  private start(): Promise<void> {
    if (this.closing) return Promise.reject(new ClosedError('server'));
    this.starting ??= this.serve().catch(async (error: unknown) => {
      await this.disconnect();
      this.starting = undefined;
      throw error;
    });
    return this.starting;
  }

  private async serve(): Promise<void> {
    this.watcher?.listening();
    const { exchange, server, startup, topic, transportUrl } = this.options;
    const interfaces = this.registry.interfaces({ exchange, topic });
    this.lease = this.brokers.acquire(transportUrl, this.options.broker);
    const { broker } = this.lease;
    const endpoints = interfaces.map((served) => endpointOf(served, this.calls));
    const toServe = endpoints.length > 0 ? endpoints : [NOTHING_SERVED];
    const rpc = new RpcServer(broker, { exchange, topic, server }, toServe, this.options.rpc);
    this.rpc = rpc;
    this.follow(rpc.events, broker);
    const giveUpMs = await waitAtStartup(broker, this.options);
    if (startup === 'background') this.startInBackground(rpc);
    else await rpc.start(giveUpMs);
    if (endpoints.length === 0)
      this.logger.warn(
        "No handler has a pattern of oslo.messaging: are the @OsloEndpoint() classes listed under 'controllers'? OsloRpcModule.forRoot() in the root module finds out",
      );
    else this.logger.log(servedTable(endpoints, server, this.options.rpc.accessPolicy));
  }

  /** Nobody waits for it: what prevents it is reported. */
  private startInBackground(rpc: RpcServer): void {
    rpc.start().catch((error: unknown) => {
      if (error instanceof ClosedError) return;
      const message = `The server could not be started: ${textWithCause(error)}`;
      this.events.emit({ type: 'start-failed', level: 'error', message, error });
    });
  }

  private follow(events: EventChannel, broker: Broker): void {
    this._status$.next(broker.state);
    events.subscribe((event) => {
      if (event.type === 'connection-changed') this._status$.next(broker.state);
      this.events.emit(event);
    });
  }

  private async disconnect(): Promise<void> {
    await this.rpc?.drain();
    await this.lease?.release();
    this._status$.next('closed');
  }

  /** One handler between Nest's processing hooks, which tracing wraps. */
  private call(handler: MessageHandler, request: IncomingRequest, send?: SendValue): Promise<unknown> {
    const context = new OsloRpcContext(request);
    return new Promise((resolve, reject) => {
      const settle = (answer: unknown): void => {
        resolve(answer ?? null);
        this.endProcessing(context);
      };
      const fail = (error: unknown): void => {
        reject(this.failures.errorOf(error, context));
        this.endProcessing(context);
      };
      const run = (): Promise<void> => {
        const { transport } = this.options;
        const answer = (result: unknown): Promise<void> | void => tellAnswer(result, context, { settle, fail }, send);
        return runRequest({ context, handler, transport }, () => resultOf(handler, context).then(answer, fail));
      };
      // A hook may be asynchronous, whatever its type says.
      const begun: unknown = this.onProcessingStartHook(this.transportId!, context, run);
      if (isThenable(begun)) begun.then(undefined, reject);
    });
  }

  private endProcessing(context: BaseRpcContext): void {
    try {
      this.onProcessingEndHook?.(this.transportId!, context);
    } catch (error) {
      this.logger.error(error);
    }
  }
}

/** Keeps the topic's queues, as a Python server without endpoints does. */
const NOTHING_SERVED: RpcEndpoint = { methods: new Map() };

/** What Nest makes of a handler; a user's own may throw at once, or return what is no promise. */
function resultOf(handler: MessageHandler, context: OsloRpcContext): Promise<unknown> {
  try {
    return Promise.resolve(handler(context.args, context));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The interfaces of a server, a line each, for its log; those that its policy denies are marked. */
function servedTable(endpoints: readonly ServedEndpoint[], server: string, policy: RpcAccessPolicy): string {
  const rows = endpoints.map((endpoint) => rowOf(endpoint, policy));
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [`Exposes as server '${server}':`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function rowOf(endpoint: ServedEndpoint, policy: RpcAccessPolicy): string[] {
  const { exchange, topic, namespace, version, methods, anyMethod } = endpoint;
  const place = `${exchange}/${topic}`;
  if (anyMethod) return [place, 'any namespace', 'any version', 'any other method'];
  const names = [...methods].map(([name, handler]) => (policy.isAllowed(name, handler) ? name : `${name} (denied)`));
  return [place, namespace ?? '(no namespace)', version, names.join(', ')];
}
