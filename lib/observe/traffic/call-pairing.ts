import { isRecord } from '../../wire/json/is-record.js';
import { heldBytes } from '../../wire/json/json-bounds.js';
import { decodeFailure } from '../../wire/rpc/remote-failure.js';
import { decodeReply, isHeartbeat } from '../../wire/rpc/rpc-reply.js';
import { decodeRequest } from '../../wire/rpc/rpc-request.js';
import { addressOf, kindOf, pairingIdOf, requestIdOf, type TapSource, type TrafficRecord } from './traffic-record.js';

/**
 * How far a request has got. `late`: answered, when its caller had given up. `unseen`: its caller has given up by now, and an
 * answer may be among the messages that were not read.
 */
export type RequestState =
  | { readonly name: 'answered'; readonly at: number }
  | { readonly name: 'expired' }
  | { readonly name: 'failed'; readonly at: number; readonly failure: SeenFailure }
  | { readonly name: 'late'; readonly at: number; readonly failure?: SeenFailure }
  | { readonly name: 'unroutable' }
  | { readonly name: 'unseen' }
  | { readonly name: 'waiting' };

/** The exception that a server has answered. */
export interface SeenFailure {
  readonly excType: string;
  readonly module: string;
  readonly message: string;
}

/** The first server that a request was delivered to. */
export interface Taking {
  readonly at: number;
  readonly queue: string;
  readonly conn?: string;
  readonly redelivered: boolean;
}

/** One request and what became of it. */
export interface SeenRequest {
  readonly id: string;
  readonly kind: 'call' | 'cast' | 'fanout';
  readonly record: TrafficRecord;
  readonly topic: string;
  readonly server?: string;
  readonly namespace: string | null;
  readonly method: string;
  readonly version: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly requestId?: string;
  /** When its caller gives up, on the clock of the records. */
  readonly deadline?: number;
  taken?: Taking;
  state: RequestState;
}

/** Counts of what is known to be missing. */
export interface PairingCounters {
  /** Requests that were forgotten, as too many were open. */
  forgotten: number;
  /** Answers to requests that were not seen: sent before the tap began, or not told by the broker. */
  unmatchedReplies: number;
}

/** Told of each change. */
export interface PairingObserver {
  /** A request was published; unroutable ones have ended with that. */
  published?(request: SeenRequest): void;
  /** A server has it. */
  taken?(request: SeenRequest): void;
  /** It was answered, has failed, or its caller has given up; an answer may still come `late` after that. */
  ended?(request: SeenRequest): void;
  /** Too many were open, and this was the oldest. */
  forgotten?(request: SeenRequest): void;
}

/** What is kept of open requests, and of what has come before its request: so many, of about so many bytes. */
export interface PairingOptions {
  /** Bindings see neither deliveries nor answers: nothing more comes of a request. @defaultValue 'firehose' */
  readonly source?: TapSource;
  readonly open?: number | undefined;
  readonly bytes?: number | undefined;
}

const MOST_OPEN = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** An answer may reach us before its request: the broker's channels tell of them each on its own. */
const MOST_EARLY = 1_000;

/** Puts requests, their deliveries and their answers together. Bounded: of too many the oldest are forgotten, and counted. */
export class CallPairing {
  readonly counters: PairingCounters = { forgotten: 0, unmatchedReplies: 0 };
  private readonly open = new Map<string, SeenRequest>();
  private readonly early = new Map<string, TrafficRecord[]>();
  private heldBytes = 0;
  private missedAt = -Infinity;

  constructor(
    private readonly observer: PairingObserver,
    private readonly options: PairingOptions = {},
  ) {}

  /** Requests that wait for an answer, or for their delivery. */
  get pending(): number {
    return this.open.size;
  }

  add(record: TrafficRecord): void {
    const id = record.message && pairingIdOf(record.message);
    if (id === undefined) return;
    const kind = kindOf(record);
    if (kind === 'reply') {
      if (record.ev === 'publish') this.replied(id, record);
    } else if (kind !== 'notification' && kind !== 'other') {
      if (record.ev === 'publish') this.published(id, kind, record);
      else this.delivered(id, record);
    }
  }

  /** Some messages were not read, at a moment on the clock of the records: what is not seen may have happened all the same. */
  missed(at: number): void {
    this.missedAt = at;
  }

  /** Ends what its caller has given up by now, a moment on the clock of the records. */
  passTime(now: number): void {
    for (const request of this.open.values()) {
      if (request.state.name !== 'waiting' || request.deadline === undefined || request.deadline > now) continue;
      request.state = { name: request.record.t <= this.missedAt ? 'unseen' : 'expired' };
      this.observer.ended?.(request);
    }
  }

  private published(id: string, kind: SeenRequest['kind'], record: TrafficRecord): void {
    // A confirm that was lost has it published again.
    if (this.open.has(id)) return;
    const request = requestOf(id, kind, record);
    if (record.routed?.length === 0) request.state = { name: 'unroutable' };
    this.observer.published?.(request);
    const early = this.takeEarly(id);
    if (request.state.name === 'unroutable' || this.options.source === 'binding') return;
    this.keep(request);
    for (const one of early) this.add(one);
  }

  private delivered(id: string, record: TrafficRecord): void {
    const request = this.open.get(id);
    if (!request) return this.keepEarly(id, record);
    if (request.taken) return;
    const { t: at, queue = '', conn, redelivered = false } = record;
    request.taken = { at, queue, ...(conn !== undefined && { conn }), redelivered };
    this.observer.taken?.(request);
    // Nothing more comes of these.
    if (request.kind !== 'call') this.release(request);
  }

  private replied(id: string, record: TrafficRecord): void {
    const request = this.open.get(id);
    if (!request) return this.keepEarly(id, record);
    const reply = decodeReply(record.message!);
    if (isHeartbeat(reply)) return;
    if (reply.failure === null && !reply.ending) return;
    this.release(request);
    const failure = reply.failure === null ? undefined : seenFailure(reply.failure);
    const isLate = request.state.name !== 'waiting' || record.t > (request.deadline ?? Infinity);
    if (isLate) request.state = { name: 'late', at: record.t, ...(failure && { failure }) };
    else request.state = failure ? { name: 'failed', at: record.t, failure } : { name: 'answered', at: record.t };
    this.observer.ended?.(request);
  }

  private keep(request: SeenRequest): void {
    this.open.set(request.id, request);
    this.heldBytes += heldBytes(request.record);
    while (this.open.size > (this.options.open ?? MOST_OPEN) || (this.isTooMuch && this.open.size > 0)) {
      const [oldest] = this.open.values();
      this.release(oldest!);
      this.counters.forgotten += 1;
      this.observer.forgotten?.(oldest!);
    }
  }

  private release(request: SeenRequest): void {
    if (this.open.delete(request.id)) this.heldBytes -= heldBytes(request.record);
  }

  private keepEarly(id: string, record: TrafficRecord): void {
    const records = this.early.get(id) ?? [];
    // More answers than these belong to a request that we shall not see.
    if (records.length < 4) {
      records.push(record);
      this.heldBytes += heldBytes(record);
    }
    this.early.set(id, records);
    while (this.early.size > MOST_EARLY || (this.isTooMuch && this.early.size > 0)) {
      const [oldest] = this.early.keys();
      const forgotten = this.takeEarly(oldest!);
      if (forgotten.some((one) => kindOf(one) === 'reply')) this.counters.unmatchedReplies += 1;
    }
  }

  private takeEarly(id: string): TrafficRecord[] {
    const records = this.early.get(id) ?? [];
    this.early.delete(id);
    for (const record of records) this.heldBytes -= heldBytes(record);
    return records;
  }

  private get isTooMuch(): boolean {
    return this.heldBytes > (this.options.bytes ?? MOST_BYTES);
  }
}

function requestOf(id: string, kind: SeenRequest['kind'], record: TrafficRecord): SeenRequest {
  const { method, namespace, version, args } = decodeRequest(record.message!);
  const { t, expirationMs } = record;
  const requestId = requestIdOf(record.message!);
  return {
    id,
    kind,
    record,
    ...addressOf(record),
    namespace,
    method,
    version,
    args: isRecord(args) ? args : {},
    ...(requestId !== undefined && { requestId }),
    ...(expirationMs !== undefined && kind === 'call' && { deadline: t + expirationMs }),
    state: { name: 'waiting' },
  };
}

function seenFailure(text: string): SeenFailure {
  const { excType, module, message } = decodeFailure(text, 'number');
  return { excType, module, message };
}
