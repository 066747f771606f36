import { BaseRpcContext } from '@nestjs/microservices';
import type { DeliveryFacts, IncomingRequest } from '../../rpc/server/incoming-request.js';
import type { RequestContext } from '../../wire/request-context.js';
import type { Target } from '../../wire/target.js';

/** Nest has `args` for an array, which its types insist on; keyword arguments they are. */
type KeywordArguments = Readonly<Record<string, unknown>>;

/**
 * One request, as `@Ctx()` of its handler. `Context` is the class that the server's serializer makes of
 * request contexts, where it does.
 *
 * @publicApi
 */
export class OsloRpcContext<Context extends object = RequestContext> extends BaseRpcContext<[IncomingRequest]> {
  /** The call's keyword arguments. */
  declare readonly args: KeywordArguments & [IncomingRequest];

  constructor(private readonly request: IncomingRequest) {
    super([request]);
    (this as { args: KeywordArguments }).args = request.args;
  }

  /** The arguments of Nest's contexts: here the one request. */
  override getArgs(): [IncomingRequest] {
    return [this.request];
  }

  override getArgByIndex(index: number): unknown {
    return this.getArgs()[index];
  }

  /** The request context of the caller: user, project, request id … */
  get requestContext(): Context {
    return this.request.requestContext as object as Context;
  }

  /** The addressed target: exchange, topic, server, namespace, version, fanout. */
  get target(): Target {
    return this.request.target;
  }

  get method(): string {
    return this.request.method;
  }

  get namespace(): string | null {
    return this.request.namespace;
  }

  /** The requested version. */
  get version(): string {
    return this.request.version;
  }

  /** Of a call. */
  get msgId(): string | undefined {
    return this.request.msgId;
  }

  get uniqueId(): string | undefined {
    return this.request.uniqueId;
  }

  /** True when the caller waits for an answer. */
  get isCall(): boolean {
    return this.request.isCall;
  }

  get isFanout(): boolean {
    return this.request.isFanout;
  }

  /** Seconds without a sign of life after which the caller gives up (its call monitor). */
  get clientTimeout(): number | undefined {
    return this.request.clientTimeout;
  }

  /** When the caller has given up at the latest; absent for casts. */
  get deadline(): Date | undefined {
    return this.request.deadline;
  }

  /** Aborted at the deadline, or when the server stops and its drain time is over. */
  get signal(): AbortSignal {
    return this.request.signal;
  }

  /** Delivered before, to us or to another server, and not acknowledged then. */
  get redelivered(): boolean {
    return this.request.redelivered;
  }

  /** Queue, exchange and routing key that it came by, and when. */
  get delivery(): DeliveryFacts {
    return this.request.delivery;
  }
}
