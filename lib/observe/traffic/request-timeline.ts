import { CallPairing, type RequestState, type SeenFailure, type SeenRequest } from './call-pairing.js';
import { addressOf, kindOf, requestIdOf, type TapSource, type TrafficRecord } from './traffic-record.js';

/** One message of a request, on the time axis of that request: milliseconds from its first message. */
export interface TimelineSpan {
  readonly kind: SeenRequest['kind'] | 'notification';
  readonly exchange: string;
  /** `conductor`, or the routing key of a notification. */
  readonly topic: string;
  readonly server?: string;
  /** `baseapi.ping`, or the type of a notification. */
  readonly name: string;
  readonly version?: string;
  /** Of a notification: INFO and the like, and who has sent it. */
  readonly priority?: string;
  readonly publisherId?: string;
  /** When it was published. */
  readonly startMs: number;
  /** When a server got it, and from which queue. */
  readonly takenMs?: number;
  readonly queue?: string;
  /** When its answer came. */
  readonly endMs?: number;
  /** When its caller gives up. */
  readonly deadlineMs?: number;
  readonly state: RequestState['name'] | 'sent';
  readonly failure?: SeenFailure;
}

/** All that was seen of one request. */
export interface Timeline {
  readonly requestId: string;
  /** When its first message was seen, in milliseconds since 1970; absent: nothing was. */
  readonly at?: number;
  /** From the first message to the last thing that is known of any. */
  readonly durationMs: number;
  /** In the order in which they were published. */
  readonly spans: readonly TimelineSpan[];
  /** Messages beyond those that are kept. */
  readonly omitted: number;
}

const MOST_SPANS = 1_000;

/**
 * Collects the calls, casts, fanouts and notifications of one request id, or of the global request id of a request that has led
 * to them. Bounded: later messages than the first thousand are counted.
 */
export class RequestTimeline {
  private readonly requests: SeenRequest[] = [];
  private readonly notifications: TrafficRecord[] = [];
  private omitted = 0;
  private readonly pairing: CallPairing;

  /** `changed` is told of each message, and of each end of a call. */
  constructor(
    readonly requestId: string,
    private readonly source: TapSource,
    private readonly changed: () => void = () => undefined,
    private readonly mostSpans = MOST_SPANS,
  ) {
    const observer = {
      published: (request: SeenRequest) => this.keep(this.requests, request),
      ended: () => this.changed(),
    };
    this.pairing = new CallPairing(observer, { source });
  }

  /** Whether all calls that were seen have ended, as far as an end can be seen. */
  get isSettled(): boolean {
    if (this.source === 'binding') return true;
    return this.requests.every(({ kind, state }) => kind !== 'call' || state.name !== 'waiting');
  }

  add(record: TrafficRecord): void {
    const { message, ev } = record;
    if (message === undefined) return;
    const kind = kindOf(record);
    // An answer has no request id: of those that belong to others the pairing knows nothing.
    if (kind === 'reply') return this.pairing.add(record);
    if (kind === 'other' || !belongsTo(message, this.requestId)) return;
    if (kind !== 'notification') this.pairing.add(record);
    else if (ev === 'publish') this.keep(this.notifications, record);
  }

  /** Some messages were not read, at that moment. */
  missed(at: number): void {
    this.pairing.missed(at);
  }

  /** Ends the calls whose callers have given up by now. */
  passTime(now: number): void {
    this.pairing.passTime(now);
  }

  timeline(): Timeline {
    const { requestId, requests, notifications, omitted } = this;
    const starts = [...requests.map(({ record }) => record.t), ...notifications.map(({ t }) => t)];
    if (starts.length === 0) return { requestId, durationMs: 0, spans: [], omitted };
    const at = starts.reduce((first, t) => Math.min(first, t));
    const spans = [
      ...requests.map((request) => requestSpan(request, at)),
      ...notifications.map((record) => notificationSpan(record, at)),
    ].toSorted((one, other) => one.startMs - other.startMs);
    const durationMs = spans.reduce((last, span) => Math.max(last, lastKnownMs(span)), 0);
    return { requestId, at, durationMs, spans, omitted };
  }

  private keep<Kept>(list: Kept[], one: Kept): void {
    if (this.requests.length + this.notifications.length >= this.mostSpans) this.omitted += 1;
    else list.push(one);
    this.changed();
  }
}

/** Whether a message is of that request, or of one that it has led to. */
export function belongsTo(message: Readonly<Record<string, unknown>>, requestId: string): boolean {
  return requestIdOf(message) === requestId || message._context_global_request_id === requestId;
}

function requestSpan(request: SeenRequest, at: number): TimelineSpan {
  const { kind, record, topic, server, namespace, method, version, taken, deadline, state } = request;
  return {
    kind,
    exchange: record.exchange,
    topic,
    ...(server !== undefined && { server }),
    name: namespace === null ? method : `${namespace}.${method}`,
    version,
    startMs: record.t - at,
    ...(taken && { takenMs: taken.at - at, queue: taken.queue }),
    ...('at' in state && { endMs: state.at - at }),
    ...(deadline !== undefined && { deadlineMs: deadline - at }),
    state: kind === 'call' || state.name === 'unroutable' ? state.name : 'sent',
    ...('failure' in state && state.failure && { failure: state.failure }),
  };
}

function notificationSpan(record: TrafficRecord, at: number): TimelineSpan {
  const { event_type: eventType, publisher_id: publisherId, priority } = record.message ?? {};
  return {
    kind: 'notification',
    exchange: record.exchange,
    topic: addressOf(record).topic,
    name: String(eventType),
    ...(typeof priority === 'string' && { priority }),
    ...(typeof publisherId === 'string' && { publisherId }),
    startMs: record.t - at,
    state: record.routed?.length === 0 ? 'unroutable' : 'sent',
  };
}

function lastKnownMs({ startMs, takenMs = startMs, endMs = takenMs, deadlineMs, state }: TimelineSpan): number {
  return state === 'expired' ? Math.max(endMs, deadlineMs ?? endMs) : endMs;
}
