import type { MessageBroker, OutgoingMessage } from '../../broker/broker.js';
import { ClosedError } from '../../errors/delivery.errors.js';
import { attachHooks, runAround, type HookedMessage } from '../../events/around-hook.js';
import type { EventChannel } from '../../events/event-channel.js';
import { flushed } from '../../events/flushed.js';
import { newUniqueId } from '../../wire/message-id.js';
import type { RequestContext } from '../../wire/request-context.js';
import { encodeRequest } from '../../wire/rpc/rpc-request.js';
import type { CallSettings } from './call-settings.js';
import { CallSites } from './call-site.js';
import { RemoteExceptions } from '../exceptions/remote-exceptions.js';
import { ReplyInbox } from './replies/reply-inbox.js';
import { RequestRoutes, type RequestRoute } from './request-route.js';
import type { ResolvedRpcClientOptions } from './rpc-client-options.js';
import { convertArguments } from '../serializer.js';

/** One request on its way out. */
export interface OutgoingRequest {
  readonly method: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly context: RequestContext;
  readonly settings: CallSettings;
  readonly route: RequestRoute;
  readonly msgId?: string;
  /** As hooks see it, where there are any; its context is the one that is sent. */
  readonly hooked?: HookedMessage;
}

type SendLimits = Pick<OutgoingMessage, 'expirationMs' | 'giveUpMs' | 'owner'>;

/** Parts that all contexts prepared from one client share. */
export class ClientTransport {
  readonly events: EventChannel;
  readonly inbox: ReplyInbox;
  readonly routes: RequestRoutes;
  readonly exceptions: RemoteExceptions;
  readonly callSites: CallSites;
  private readonly detachHooks: () => void;
  private closing: Promise<void> | undefined;
  private unsentCasts = 0;
  private castsAreSent: (() => void) | undefined;

  constructor(
    readonly broker: MessageBroker,
    readonly options: ResolvedRpcClientOptions,
  ) {
    this.events = broker.events.scope();
    this.routes = new RequestRoutes(broker.options);
    this.exceptions = new RemoteExceptions(options);
    this.callSites = new CallSites(options.callSite);
    this.inbox = ReplyInbox.acquire(broker, options.integers);
    const { events, inbox: replies } = this;
    this.detachHooks = attachHooks(options.hooks, { kind: 'client', bus: broker, events, replies });
  }

  get isClosed(): boolean {
    return this.closing !== undefined;
  }

  /** @throws ClosedError */
  requireOpen(): void {
    if (this.closing) throw new ClosedError('client');
  }

  close(): Promise<void> {
    this.closing ??= this.end().finally(() => {
      this.detachHooks();
      this.events.detach();
    });
    return this.closing;
  }

  castBegun(): void {
    this.unsentCasts += 1;
  }

  castEnded(): void {
    this.unsentCasts -= 1;
    if (this.unsentCasts === 0) this.castsAreSent?.();
  }

  /** Casts that were made before go out first. */
  private async end(): Promise<void> {
    const sent = new Promise<void>((resolve) => (this.castsAreSent = resolve));
    if (this.unsentCasts === 0) this.castsAreSent?.();
    await Promise.all([flushed(sent, this.broker), this.inbox.release(this)]);
  }

  /** @throws MalformedMessage for arguments or a context that cannot be written as JSON */
  encode({ method, args, context, settings, msgId, hooked }: OutgoingRequest, uniqueId: string): string {
    const { serializer } = this.options;
    const request = {
      method,
      args: serializer ? convertArguments(args, (value) => serializer.serializeEntity(context, value)) : args,
      namespace: settings.namespace,
      version: settings.version,
      msgId,
      replyQueue: msgId && this.inbox.queue,
      callMonitorTimeout: settings.callMonitorTimeout,
      uniqueId,
      context: hooked?.context ?? this.wireContextOf(context),
    };
    return encodeRequest(request, this.broker.options.legacyBareMessages);
  }

  private wireContextOf(context: RequestContext): RequestContext {
    const { serializer } = this.options;
    return serializer ? serializer.serializeContext(context) : context;
  }

  /** Encodes and publishes; what cannot be encoded rejects like what cannot be sent. */
  send(request: OutgoingRequest, limits: SendLimits = {}): Promise<void> {
    const { hooked } = request;
    if (!hooked) return this.publish(request, this.encode(request, newUniqueId()), limits);
    const publish = (): Promise<void> => this.publish(request, this.encode(request, hooked.uniqueId!), limits);
    return runAround(this.options.hooks, 'aroundSend', hooked, publish);
  }

  /** The same request, with what hooks see of it, where there are any. */
  hooked(request: OutgoingRequest): OutgoingRequest {
    if (this.options.hooks.length === 0) return request;
    const { method, route, msgId, settings } = request;
    const { exchange, topic, server, namespace, version, fanout, timeout } = settings;
    const target = { exchange, topic: topic ?? undefined, server: server ?? undefined, namespace, version, fanout };
    const hooked: HookedMessage = {
      kind: msgId ? 'call' : fanout ? 'fanout' : 'cast',
      bus: 'rabbitmq',
      exchange: route.exchange,
      routingKey: route.routingKey,
      target,
      method,
      timeout: msgId ? timeout : undefined,
      msgId,
      uniqueId: newUniqueId(),
      context: { ...this.wireContextOf(request.context) },
    };
    return { ...request, hooked };
  }

  private publish(
    { route, settings }: OutgoingRequest,
    body: string,
    { expirationMs, giveUpMs, owner }: SendLimits,
  ): Promise<void> {
    const { exchange, routingKey, mandatory, topology } = route;
    const { retry } = settings;
    // A fanout is for the servers that are there, be it none: as Python's, it is neither kept nor an error.
    const awaitQueue = !settings.fanout && !mandatory;
    return this.broker.publish({
      exchange,
      routingKey,
      mandatory,
      awaitQueue,
      topology,
      body,
      expirationMs,
      giveUpMs,
      retry,
      owner,
    });
  }
}
