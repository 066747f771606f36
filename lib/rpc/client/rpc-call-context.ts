import { InvalidTarget } from '../../errors/configuration.errors.js';
import { howSendingFailed } from '../../errors/oslo-messaging.error.js';
import { textWithCause } from '../../errors/text-of.js';
import { runAround, type HookedMessage } from '../../events/around-hook.js';
import type { RequestFacts } from '../../events/messaging-event.js';
import { started } from '../../events/started.js';
import { isVersionCompatible } from '../../wire/rpc/api-version.js';
import { newUniqueId } from '../../wire/message-id.js';
import { decodeFailure } from '../../wire/rpc/remote-failure.js';
import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { type RequestContext, requestIdOf } from '../../wire/request-context.js';
import { showCallSite, type CallSite } from './call-site.js';
import { changeSettings, checkVersionCap, type CallSettings, type PrepareOptions } from './call-settings.js';
import type { ClientTransport, OutgoingRequest } from './client-transport.js';
import { keywordArguments, requireMethodName } from './keyword-arguments.js';
import { PendingCall, type CallOutcome } from './pending-call.js';
import { describeRequest, requestFacts } from '../request-facts.js';
import type { RequestRoute } from './request-route.js';
import { type BeginMulticall, valuesOf } from './values-of.js';

/**
 * Options of one request, beside its arguments.
 *
 * @publicApi
 */
export interface SendOptions {
  /** The context sent with it, as the serializer takes it or as plain data; wins over the client's default. */
  context?: object;
}

/**
 * Options of one call, beside its arguments.
 *
 * @publicApi
 */
export interface CallOptions extends SendOptions {
  /** Aborting it rejects the call with the signal's reason, and forgets it; the server is not told. */
  signal?: AbortSignal;
}

const SEND_RULES: OptionRules<SendOptions> = { context: { type: 'checked' } };
const CALL_RULES: OptionRules<CallOptions> = { context: { type: 'checked' }, signal: { type: 'checked' } };

/**
 * The keyword arguments of a method.
 *
 * @publicApi
 */
export type RpcArguments = Readonly<Record<string, unknown>>;

/**
 * A client with its target and options decided: what `prepare` returns. Mirrors Python's `_CallContext`.
 *
 * @publicApi
 */
export class RpcCallContext {
  private cachedRoute: RequestRoute | undefined;

  /** @internal */
  constructor(
    protected readonly transport: ClientTransport,
    protected readonly settings: CallSettings,
  ) {}

  /**
   * Calls a method with its keyword arguments; resolves to what it returned (None: `null`).
   *
   * @throws RemoteError the handler failed with an exception that is not registered here; else its class
   * @throws NoSuchMethod, UnsupportedVersion from the server
   * @throws MessagingTimeout no answer in `timeout`, or no heartbeat in `callMonitorTimeout` seconds
   * @throws MessageUndeliverable no server is there, with `atLeastOnce`
   * @throws MessageDeliveryFailure not handed to the broker within `retry`, or too many calls wait already
   * @throws RpcVersionCapError, InvalidTarget, MalformedMessage nothing was sent
   * @throws ClosedError
   */
  call<T = unknown>(method: string, args: RpcArguments = {}, options: CallOptions = {}): Promise<T> {
    return this.callFrom<T>(this.call, method, args, options);
  }

  /**
   * A call whose errors show the line that called `below`.
   *
   * @internal
   */
  callFrom<T>(below: UserFunction, method: string, args: RpcArguments = {}, options: CallOptions = {}): Promise<T> {
    const site = this.transport.callSites.capture(below);
    return new Promise<T>((resolve, reject) => {
      const outcome = { resolve: resolve as (value: unknown) => void, reject, site };
      try {
        this.beginCall(method, args, options, outcome);
      } catch (error) {
        reject(showCallSite(error, site));
      }
    });
  }

  /**
   * As `call`, told by callbacks instead of a promise. The returned function forgets the call, and tells nobody.
   *
   * @internal
   */
  openCall(method: string, args: RpcArguments, options: CallOptions, ends: CallEnds): () => void {
    try {
      return this.beginCall(method, args, options, ends);
    } catch (error) {
      ends.reject(showCallSite(error, ends.site));
      return () => undefined;
    }
  }

  /**
   * Calls a method that answers with several values, each as it comes; the call is made when the first is asked for. A
   * server that gives one answer gives one value, or none for `null`. `timeout` is of the whole, from the first value
   * asked for to the last message; each value counts as a heartbeat. Leaving the loop forgets the call; the server is not
   * told. Mirrors the `multicall` of oslo-incubator's RPC. Rejects as `call` does.
   *
   * @throws MessageDeliveryFailure also when more than 10 000 values wait to be taken
   */
  multicall<T = unknown>(method: string, args: RpcArguments = {}, options: CallOptions = {}): AsyncIterable<T> {
    return valuesOf<T>(this.multicallFrom(this.multicall, method, args, options));
  }

  /**
   * Begins multicalls whose errors show the line that called `below`.
   *
   * @internal
   */
  multicallFrom(
    below: UserFunction,
    method: string,
    args: RpcArguments = {},
    options: CallOptions = {},
  ): BeginMulticall {
    const site = this.transport.callSites.capture(below);
    return (ends) => this.openCall(method, args, options, { ...ends, site });
  }

  /**
   * Sends a request that nobody answers; resolves when the broker has confirmed it. To all servers of the
   * topic when the target is fanout. Safe not to await: a failure is reported in any case.
   *
   * @throws MessageUndeliverable, MessageDeliveryFailure, RpcVersionCapError, InvalidTarget, MalformedMessage, ClosedError
   */
  cast(method: string, args: RpcArguments = {}, options: SendOptions = {}): Promise<void> {
    return this.castFrom(this.cast, method, args, options);
  }

  /**
   * A cast whose errors show the line that called `below`.
   *
   * @internal
   */
  castFrom(below: UserFunction, method: string, args: RpcArguments = {}, options: SendOptions = {}): Promise<void> {
    const site = this.transport.callSites.capture(below);
    const { namespace, version } = this.settings;
    const facts = requestFacts({ method, namespace, version: version ?? undefined });
    const sent = this.startCast(facts, args, options).catch((error: unknown) => {
      throw showCallSite(error, site);
    });
    sent.catch((error: unknown) => this.reportFailedCast(facts, error));
    return sent;
  }

  /** A cast to every server of the topic. */
  fanout(method: string, args: RpcArguments = {}, options: SendOptions = {}): Promise<void> {
    return this.prepare({ fanout: true }).castFrom(this.fanout, method, args, options);
  }

  /** The same client with other settings; an omitted field is inherited, an explicit `null` resets it. */
  prepare(changes: PrepareOptions): RpcCallContext {
    const { timeout } = this.transport.options;
    return new RpcCallContext(this.transport, changeSettings(this.settings, changes, timeout));
  }

  /** True when the version cap allows requests of `version`, by default the target's. */
  canSendVersion(version: string | null = this.settings.version): boolean {
    return isVersionCompatible(version, this.settings.versionCap);
  }

  private get route(): RequestRoute {
    this.cachedRoute ??= this.transport.routes.routeOf(this.settings);
    return this.cachedRoute;
  }

  /** The returned function forgets the call, and tells nobody but the hooks around it. */
  private beginCall(method: string, args: RpcArguments, options: CallOptions, ends: CallEnds): () => void {
    if (this.settings.fanout) throw new InvalidTarget('A call needs one answer, so its target cannot be fanout');
    checkOptions('call', options, CALL_RULES);
    const request = this.requestOf(method, args, options, newUniqueId());
    if (request.hooked) return this.callInHooks(request, request.hooked, options, ends);
    const call = this.startCall(request, options, ends);
    return () => call.abandon();
  }

  private callInHooks(
    request: OutgoingRequest,
    hooked: HookedMessage,
    options: CallOptions,
    ends: CallEnds,
  ): () => void {
    const { signal, abort } = leaving();
    // A hook may keep `next` as long as the call waits, and nothing that `next` sees may hold the arguments then.
    let unsent: OutgoingRequest | undefined = request;
    let answer: Promise<unknown> | undefined;
    const next = (): Promise<unknown> => {
      answer ??= this.answerOf(unsent!, options, ends, signal);
      unsent = undefined;
      return answer;
    };
    const unlessLeft = (tell: (outcome: unknown) => void) => (outcome: unknown) => {
      if (!signal.aborted) tell(outcome);
    };
    started(() => runAround(this.transport.options.hooks, 'aroundCall', hooked, next)).then(
      unlessLeft(ends.resolve),
      unlessLeft(ends.reject),
    );
    return abort;
  }

  private answerOf(
    request: OutgoingRequest,
    options: CallOptions,
    ends: CallEnds,
    left: AbortSignal,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      try {
        left.throwIfAborted();
        this.startCall(request, options, { ...ends, resolve, reject }).endWith(left);
      } catch (error) {
        reject(showCallSite(error, ends.site));
      }
    });
  }

  private startCall(request: OutgoingRequest, options: CallOptions, ends: CallEnds): PendingCall {
    this.transport.inbox.requireRoom();
    options.signal?.throwIfAborted();
    const call = this.expectReply(request, ends);
    if (options.signal) call.endWith(options.signal);
    try {
      this.transmit(request, call).then(
        () => call.requestConfirmed(),
        (error: unknown) => call.failUnsent(error),
      );
    } catch (error) {
      call.failUnsent(error);
    }
    return call;
  }

  private requestOf(method: string, args: RpcArguments, options: SendOptions, msgId?: string): OutgoingRequest {
    this.transport.requireOpen();
    requireMethodName(method);
    checkVersionCap(this.settings);
    const context = (options.context ?? this.transport.options.defaultContext()) as RequestContext;
    const { route, settings } = this;
    return this.transport.hooked({ method, args: keywordArguments(args), context, settings, route, msgId });
  }

  private expectReply(request: OutgoingRequest, ends: CallEnds): PendingCall {
    const { inbox } = this.transport;
    const { timeout, callMonitorTimeout } = this.settings;
    const { method, msgId } = request;
    const { target, exchange, routingKey: queue } = request.route;
    const call = new PendingCall(
      { msgId: msgId!, method, target, exchange, queue, replyQueue: inbox.queue },
      { timeoutMs: timeout * 1000, monitorMs: callMonitorTimeout ? callMonitorTimeout * 1000 : undefined },
      this.outcomeOf(request, ends),
      inbox,
      this.transport,
    );
    inbox.expect(call);
    return call;
  }

  /** One deadline covers it all: what the wait for the reply queue took is missing from the expiration. */
  private transmit(request: OutgoingRequest, call: PendingCall): Promise<void> {
    const { inbox } = this.transport;
    if (inbox.isOpen) return this.sendCall(request, call, this.settings.timeout * 1000);
    return new Promise((resolve, reject) => {
      const stop = inbox.whenOpen(this.settings.retry, (error) => {
        if (error === undefined) resolve(started(() => this.sendCall(request, call, call.remainingMs)));
        else reject(error);
      });
      call.whenEnded(stop);
    });
  }

  private sendCall(request: OutgoingRequest, call: PendingCall, remainingMs: number): Promise<void> {
    call.requestSent();
    return this.transport.send(request, { expirationMs: expirationOf(remainingMs), owner: call });
  }

  /** Keeps nothing of the arguments while the call waits. */
  private outcomeOf({ context, method, msgId, route }: OutgoingRequest, ends: CallEnds): CallOutcome {
    const { next, resolve, reject, site } = ends;
    const { exceptions, options } = this.transport;
    const facts = { msgId, method, target: route.target };
    return {
      next: next && ((value) => next(this.entityOf(context, value))),
      answered: (result, failure) => {
        try {
          if (failure !== null) throw exceptions.revive(decodeFailure(failure, options.integers), facts);
          resolve(next ? null : this.entityOf(context, result));
        } catch (error) {
          reject(showCallSite(error, site));
        }
      },
      failed: (error) => reject(showCallSite(error, site)),
    };
  }

  private entityOf(context: RequestContext, result: unknown): unknown {
    const { serializer } = this.transport.options;
    return serializer ? serializer.deserializeEntity(context, result) : result;
  }

  /** `facts` are given the request id as soon as there is one. */
  private async startCast(facts: RequestFacts, args: RpcArguments, options: SendOptions): Promise<void> {
    checkOptions('cast', options, SEND_RULES);
    const { transport } = this;
    const request = this.requestOf(facts.method, args, options);
    facts.requestId = requestIdOf(request.context);
    transport.castBegun();
    try {
      await transport.send(request);
    } finally {
      transport.castEnded();
    }
  }

  private reportFailedCast(facts: RequestFacts, error: unknown): void {
    const { exchange, topic, fanout } = this.settings;
    const target = this.cachedRoute?.target ?? `${exchange}/${topic}`;
    const message = `The cast of ${describeRequest(facts)} to ${target} ${howSendingFailed(error)}: ${textWithCause(error)}`;
    const kind = fanout ? 'fanout' : 'cast';
    this.transport.events.emit({ type: 'send-failed', level: 'error', kind, target, ...facts, message, error });
  }
}

/** The function of ours that a user called. */
export type UserFunction = (...args: never[]) => unknown;

/** How the end of a call is told. */
export interface CallEnds {
  /** Makes it a multicall: takes its values, and `resolve` tells that there are no more. */
  next?: (value: unknown) => void;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  site: CallSite | undefined;
}

/** How a call is left by whoever waits for it. */
function leaving(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** The broker's limit of `expiration`; what may wait longer has none. */
const LONGEST_EXPIRATION_MS = 0xffffffff;

/** The AMQP property for a call that waits so long. */
function expirationOf(ms: number): number | undefined {
  return ms > LONGEST_EXPIRATION_MS ? undefined : Math.ceil(ms);
}
