import type { MessageBroker } from '../../broker/broker.js';
import { runAround, type HookedMessage } from '../../events/around-hook.js';
import { inHandlerScope } from '../../events/handler-scope.js';
import { isThenable } from '../../events/is-thenable.js';
import type { EventChannel } from '../../events/event-channel.js';
import { NoSuchMethod, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { textWithCause, textOf } from '../../errors/text-of.js';
import { stringifyJson } from '../../wire/json/json.js';
import { newUniqueId } from '../../wire/message-id.js';
import { refusalOfSize } from '../../wire/message-size.js';
import { encodeFailure, shortenedFailure } from '../../wire/rpc/remote-failure.js';
import type { RequestContext } from '../../wire/request-context.js';
import { encodeReply } from '../../wire/rpc/rpc-reply.js';
import { shown } from '../../wire/shown.js';
import { startHeartbeat } from './call-heartbeat.js';
import { ExceptionMap } from '../exceptions/exception-map.js';
import { isExpected } from './expected-exceptions.js';
import type { IncomingRequest } from './incoming-request.js';
import { describeRequest, requestFacts } from '../request-facts.js';
import type { SendingHandler, SendValue } from './multicall.js';
import type { ReplyBodies, Substitute } from './replies/outgoing-reply.js';
import { ReplySender } from './replies/reply-sender.js';
import type { HeldRequest } from './request-queue.js';
import type { ResolvedRpcServerOptions } from './rpc-server-options.js';
import type { RpcMethod } from './rpc-dispatcher.js';
import { convertArguments } from '../serializer.js';

/** A late answer is still worth one try: it tells the caller why its call timed out. */
const LATE_REPLY_MS = 5000;

/** The result of a method that has answered already, or whose caller cannot be reached. */
const NO_ANSWER = Symbol('no answer');

/** Runs one request after the other is none of its business: finds the handler, calls it, answers. */
export class RequestRunner {
  readonly replies: ReplySender;
  private readonly exceptions: ExceptionMap;
  failed = 0;

  constructor(
    private readonly broker: MessageBroker,
    private readonly options: ResolvedRpcServerOptions,
    private readonly events: EventChannel,
  ) {
    this.replies = new ReplySender(broker, events);
    this.exceptions = new ExceptionMap(options);
  }

  /** Calls `ended` once, when the answer is on its way; never throws. */
  run(held: HeldRequest, ended: () => void): void {
    const { request } = held;
    const stopHeartbeat = startHeartbeat(this.broker, request);
    let method: RpcMethod | undefined;
    const finish = (answer: () => void): void => {
      stopHeartbeat();
      request.end();
      try {
        answer();
      } catch (error) {
        this.report(request, error, 'error');
      }
      ended();
    };
    const fail = (error: unknown): void => finish(() => this.answerFailure(request, error, method));
    try {
      const found = (method = this.methodOf(held));
      const result = this.invoke(found, held);
      if (!isThenable(result)) return finish(() => this.answer(request, result, found));
      // A foreign promise may call back twice, or throw after it has.
      void Promise.resolve(result).then((value) => finish(() => this.answer(request, value, found)), fail);
    } catch (error) {
      fail(error);
    }
  }

  private methodOf({ service, request, problem }: HeldRequest): RpcMethod {
    if (problem) throw problem;
    return service.dispatcher.find(request);
  }

  private invoke(method: RpcMethod, { request }: HeldRequest): unknown {
    const { requestContext: received } = request;
    this.deserialize(request);
    const { hooks } = this.options;
    if (hooks.length === 0) return inHandlerScope(() => this.call(method, request));
    const { delivery, msgId, uniqueId, target } = request;
    const { exchange, routingKey } = delivery;
    const message: HookedMessage = {
      kind: 'request',
      bus: 'rabbitmq',
      exchange,
      routingKey,
      target,
      method: request.method,
      msgId,
      uniqueId,
      endpoint: classNameOf(method.receiver),
      context: { ...received },
    };
    return inHandlerScope(() => runAround(hooks, 'aroundProcess', message, () => this.call(method, request)));
  }

  private call(method: RpcMethod, request: IncomingRequest): unknown {
    const { handler, receiver, isMulticall } = method;
    if (isMulticall) return this.multicall(method, request);
    return handler.call(receiver, request.args as never, request);
  }

  /** Each value is a reply that is not the last; the empty answer after them is. */
  private async multicall(method: RpcMethod, request: IncomingRequest): Promise<unknown> {
    let arrive = true;
    const send: SendValue = async (value) => {
      request.signal.throwIfAborted();
      if (!request.isCall || value === null || value === undefined) return true;
      arrive = await this.sendValue(request, value, method);
      return arrive;
    };
    await (method.handler as SendingHandler).call(method.receiver, request.args as never, request, send);
    return arrive ? null : NO_ANSWER;
  }

  private sendValue(request: IncomingRequest, value: unknown, method: RpcMethod): Promise<boolean> {
    const ending = this.options.legacyTwoMessageReplies ? undefined : false;
    const body = this.encoded(request, this.entityOf(request, value), null, ending);
    return this.reply(request, this.inBounds({ body }), (refusal) => {
      this.noteFailure(request, refusal, method);
      return this.shortFailure(request, refusal);
    });
  }

  private entityOf({ requestContext }: IncomingRequest, result: unknown): unknown {
    const { serializer } = this.options;
    return serializer ? serializer.serializeEntity(requestContext, result) : result;
  }

  private deserialize(request: IncomingRequest): void {
    const { serializer } = this.options;
    if (!serializer) return;
    const context = serializer.deserializeContext(request.requestContext) as RequestContext;
    request.requestContext = context;
    request.args = convertArguments(request.args, (value) => serializer.deserializeEntity(context, value));
  }

  private answer(request: IncomingRequest, result: unknown, method: RpcMethod): void {
    if (!request.isCall || result === NO_ANSWER) return;
    try {
      const bodies = this.bodiesOf(request, this.entityOf(request, result), null);
      void this.reply(request, this.inBounds(bodies), (refusal) => {
        this.noteFailure(request, refusal, method);
        return this.shortFailure(request, refusal);
      });
    } catch (error) {
      this.answerFailure(request, error, method);
    }
  }

  private answerFailure(request: IncomingRequest, thrown: unknown, method?: RpcMethod): void {
    const error = approachable(thrown);
    this.noteFailure(request, error, method);
    if (!request.isCall) return;
    void this.reply(request, this.failure(request, error), () => this.shortFailure(request, error));
  }

  private noteFailure(request: IncomingRequest, error: unknown, method: RpcMethod | undefined): void {
    this.failed += 1;
    if (method) this.report(request, error, isExpected(method.handler, error) ? 'debug' : 'error');
    else this.report(request, error, isOptional(request.method, error) ? 'debug' : 'warn');
  }

  private failure(request: IncomingRequest, error: unknown): ReplyBodies {
    try {
      return this.inBounds(this.bodiesOf(request, null, encodeFailure(this.exceptions.describe(error))));
    } catch {
      return this.shortFailure(request, error);
    }
  }

  /** The caller is to learn the class of what failed, whatever else was too much. */
  private shortFailure(request: IncomingRequest, error: unknown): ReplyBodies {
    return this.bodiesOf(request, null, encodeFailure(shortenedFailure(this.exceptions.describe(error))));
  }

  /**
   * In two messages it is the answer, and that it was the last. For null the last is enough: an empty one before it is a
   * heartbeat to callers of today, and Python's `ReplyWaiter.wait` fails at one that it did not ask for.
   *
   * @throws MalformedMessage what cannot be written
   */
  private bodiesOf(request: IncomingRequest, result: unknown, failure: string | null): ReplyBodies {
    const isPair = this.options.legacyTwoMessageReplies && (failure !== null || stringifyJson(result) !== 'null');
    if (!isPair) return { body: this.encoded(request, result, failure, true) };
    return { body: this.encoded(request, result, failure), followedBy: this.encoded(request, null, null, true) };
  }

  /** @throws MalformedMessage more than may be sent */
  private inBounds(bodies: ReplyBodies): ReplyBodies {
    const refusal = refusalOfSize(bodies.body, this.broker.options.maxOutgoingMessageBytes);
    if (refusal) throw refusal;
    return bodies;
  }

  private reply(request: IncomingRequest, bodies: ReplyBodies, substitute: Substitute): Promise<boolean> {
    const { method, msgId, namespace, replyQueue, requestId, version } = request;
    const giveUpAt = this.giveUpAt(request);
    const { body, followedBy } = bodies;
    return this.replies.send(
      { replyQueue: replyQueue!, msgId: msgId!, method, namespace, version, requestId, body, followedBy, giveUpAt },
      substitute,
    );
  }

  /** @throws MalformedMessage */
  private encoded({ msgId }: IncomingRequest, result: unknown, failure: string | null, ending?: boolean): string {
    const reply = { msgId: msgId!, result, failure, ending, uniqueId: newUniqueId() };
    return encodeReply(reply, this.broker.options.legacyBareMessages);
  }

  /** When a caller without a known deadline has given up, as far as Python's servers are concerned. */
  private giveUpAt({ remainingMs }: IncomingRequest): number {
    const { kombuMissingConsumerRetryTimeout } = this.broker.options;
    return performance.now() + Math.max(remainingMs ?? kombuMissingConsumerRetryTimeout * 1000, LATE_REPLY_MS);
  }

  /** A request that reaches no handler is its caller's mistake. */
  private report(request: IncomingRequest, error: unknown, level: 'debug' | 'error' | 'warn'): void {
    const { isCall } = request;
    const message = `${describeRequest(request)} failed: ${shown(textWithCause(error), 1000)}`;
    this.events.emit({
      type: 'handler-failed',
      level,
      message,
      error,
      ...requestFacts(request),
      expected: level === 'debug',
      isCall,
    });
  }
}

/** Python's convention: callers expect that older servers lack such a method. */
function isOptional(method: string, error: unknown): boolean {
  const isMissing = error instanceof NoSuchMethod || error instanceof UnsupportedVersion;
  return isMissing && method.endsWith('_ignore_errors');
}

/** Undefined for a plain object, and for a map of functions. */
function classNameOf(receiver: unknown): string | undefined {
  const made: unknown = Object.getPrototypeOf(receiver ?? Object.prototype)?.constructor;
  return typeof made === 'function' && made !== Object ? made.name : undefined;
}

/** A thrown value, or its text where not even `instanceof` is safe, as with a revoked proxy. */
function approachable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return textOf(thrown);
  }
}
