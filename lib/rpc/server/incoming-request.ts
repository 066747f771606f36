import type { Delivery } from '../../broker/broker.js';
import { longestTimerMs } from '../../events/longest-timer.js';
import { type RequestContext, requestIdOf } from '../../wire/request-context.js';
import type { ReceivedRequest } from '../../wire/rpc/rpc-request.js';
import type { Target } from '../../wire/target.js';

/** The queue and address of a request. */
export interface RequestOrigin {
  topic: string;
  exchange: string;
  server: string;
  isFanout: boolean;
}

/**
 * Facts of the delivery that remain once its message has been read.
 *
 * @publicApi
 */
export type DeliveryFacts = Pick<Delivery, 'exchange' | 'queue' | 'receivedAt' | 'redelivered' | 'routingKey'> & {
  expirationMs?: number;
};

/**
 * One request as its handler sees it.
 *
 * @hideconstructor
 * @publicApi
 */
export class IncomingRequest {
  readonly method: string;
  readonly namespace: string | null;
  readonly version: string;
  readonly msgId?: string;
  readonly replyQueue?: string;
  readonly uniqueId?: string;
  /** Of the caller's context, as it came. */
  readonly requestId?: string;
  /** True when the caller waits for an answer. */
  readonly isCall: boolean;
  readonly isFanout: boolean;
  /** Seconds without a sign of life after which the caller gives up (its call monitor); Python's `client_timeout`. */
  readonly clientTimeout?: number;
  /** The keyword arguments, deserialized. */
  args: Readonly<Record<string, unknown>>;
  /** The caller's context, deserialized, without the `_context_` prefix. */
  requestContext: RequestContext;
  private abortion?: AbortController;
  private abortReason?: Error;
  private deadlineTimer?: NodeJS.Timeout;

  constructor(
    received: ReceivedRequest,
    private readonly origin: RequestOrigin,
    readonly delivery: DeliveryFacts,
  ) {
    this.method = received.method;
    this.namespace = received.namespace;
    this.version = received.version;
    this.msgId = received.msgId;
    this.replyQueue = received.replyQueue;
    this.uniqueId = received.uniqueId;
    this.requestId = requestIdOf(received.context);
    this.isCall = received.msgId !== undefined && received.replyQueue !== undefined;
    this.isFanout = origin.isFanout;
    this.clientTimeout = received.callMonitorTimeout;
    this.args = received.args;
    this.requestContext = received.context;
  }

  /** The addressed target: exchange, topic, namespace, version, server, fanout. */
  get target(): Target {
    const { exchange, topic, server, isFanout } = this.origin;
    return { exchange, topic, server, namespace: this.namespace, version: this.version, fanout: isFanout };
  }

  /** Delivered before, to us or to another server, and not acknowledged then. */
  get redelivered(): boolean {
    return this.delivery.redelivered;
  }

  /**
   * When the caller has given up at the latest; absent for casts. An upper bound: the wire has no
   * timestamp, so the time that the request waited in its queue is not known.
   */
  get deadline(): Date | undefined {
    const remaining = this.remainingMs;
    return remaining === undefined ? undefined : new Date(Date.now() + remaining);
  }

  /** Milliseconds until the deadline, negative after it. */
  get remainingMs(): number | undefined {
    const { receivedAt, expirationMs } = this.delivery;
    return expirationMs === undefined ? undefined : receivedAt + expirationMs - performance.now();
  }

  /** Aborted at the deadline, or when the server stops and its drain time is over. */
  get signal(): AbortSignal {
    this.abortion ??= this.prepareAbortion();
    return this.abortion.signal;
  }

  /** Fires `signal`, also for those who look at it later. */
  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.abortion?.abort(this.abortReason);
  }

  /** The handler has ended: nothing is left that could fire. */
  end(): void {
    if (this.deadlineTimer) clearTimeout(this.deadlineTimer);
  }

  private prepareAbortion(): AbortController {
    const abortion = new AbortController();
    if (this.abortReason) abortion.abort(this.abortReason);
    const remaining = this.remainingMs;
    if (remaining === undefined || abortion.signal.aborted) return abortion;
    const expire = (): void => this.abort(new Error('The caller has given up waiting'));
    this.deadlineTimer = setTimeout(expire, Math.max(0, Math.min(remaining, longestTimerMs)));
    this.deadlineTimer.unref();
    return abortion;
  }
}
