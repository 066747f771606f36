import { heldBytes } from '../../wire/json/json-bounds.js';
import { holdsMask } from '../../wire/masked-value.js';
import { decodeFailure } from '../../wire/rpc/remote-failure.js';
import { decodeReply, isHeartbeat } from '../../wire/rpc/rpc-reply.js';
import { decodeRequest } from '../../wire/rpc/rpc-request.js';
import { decodeNotification, NOTIFICATION_PRIORITIES, type NotificationPriority } from '../../wire/notification.js';
import type { RequestContext } from '../../wire/request-context.js';
import type { Target } from '../../wire/target.js';
import type { SeenFailure } from './call-pairing.js';
import { addressOf, kindOf, pairingIdOf, type TrafficKind, type TrafficRecord } from './traffic-record.js';

/** What was recorded as the end of a call. */
export type RecordedAnswer =
  | { readonly name: 'answered'; readonly result: unknown; readonly afterMs: number }
  | { readonly name: 'failed'; readonly failure: SeenFailure; readonly afterMs: number }
  /** Answered when its caller had given up. */
  | { readonly name: 'timeout'; readonly afterMs: number };

interface StepFacts {
  /** From 1 on. */
  readonly n: number;
  /** Since the first message of the plan, as it was recorded. */
  readonly afterMs: number;
  /** The `_msg_id` or `_unique_id` of then; never sent again. */
  readonly recordedId: string;
  readonly context: RequestContext;
  /** Secrets were masked in it, or parts were left out. */
  readonly isMasked: boolean;
}

/** A request that is to be sent again. */
export interface ReplayRequest extends StepFacts {
  readonly kind: 'call' | 'cast' | 'fanout';
  readonly target: Target & { readonly topic: string };
  /** The exchange that it was published to: of a fanout its own. */
  readonly exchange: string;
  readonly method: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** How long its caller waited. */
  readonly timeoutMs?: number;
  /** Seconds without a heartbeat after which its caller gave up. */
  readonly callMonitorTimeout?: number;
  /** Absent: none was recorded. */
  readonly answer?: RecordedAnswer;
}

/** A notification that is to be sent again. */
export interface ReplayNotification extends StepFacts {
  readonly kind: 'notification';
  readonly exchange: string;
  readonly topic: string;
  readonly priority: NotificationPriority;
  readonly publisherId?: string;
  readonly eventType: string;
  readonly payload: unknown;
}

export type ReplayStep = ReplayNotification | ReplayRequest;

/** What is to be sent, in the order in which it was recorded, and what is not. */
export interface ReplayPlan {
  readonly steps: readonly ReplayStep[];
  readonly leftOut: {
    /** Not asked for. */
    readonly unwanted: number;
    /** Neither requests nor notifications, or not to be read. */
    readonly unreadable: number;
    /** Beyond the most that are planned. */
    readonly tooMany: number;
  };
}

const MOST_STEPS = 100_000;
/** About as much memory as messages and answers may take. */
const MOST_BYTES = 512 * 1024 * 1024;
/** An answer may have been recorded before its request. */
const MOST_EARLY = 1_000;

/** Makes a plan of a recording. Bounded: beyond 100 000 messages, or 512 MiB, they are counted. */
export class ReplayPlanner {
  private readonly steps: ReplayStep[] = [];
  private readonly ids = new Set<string>();
  private readonly answers = new Map<string, RecordedAnswer & { at: number }>();
  private readonly early = new Map<string, TrafficRecord>();
  private readonly leftOut = { unwanted: 0, unreadable: 0, tooMany: 0 };
  private firstAt = 0;
  private heldBytes = 0;

  /** `changes`: keys of every context that have other values now. `isWanted` is asked about each message. */
  constructor(
    private readonly changes: RequestContext = {},
    private readonly isWanted: (step: ReplayStep) => boolean = () => true,
    private readonly limits: { readonly steps?: number; readonly bytes?: number } = {},
  ) {}

  add(record: TrafficRecord): void {
    const { ev, message } = record;
    if (ev !== 'publish') return;
    const id = message && pairingIdOf(message);
    const kind = kindOf(record);
    if (kind === 'reply') return this.answered(id!, record);
    const step = message && id !== undefined && this.stepOf(kind, id, message, record);
    if (!step) this.leftOut.unreadable += 1;
    // A confirm that was lost has it published again; of a notification each topic has its own.
    else if (this.ids.has(id)) return;
    else if (!this.isWanted(step)) this.leftOut.unwanted += 1;
    else if (this.steps.length >= (this.limits.steps ?? MOST_STEPS) || this.isFull) this.leftOut.tooMany += 1;
    else this.keep(id, step);
  }

  plan(): ReplayPlan {
    const steps = this.steps.map((step): ReplayStep => {
      const answer = step.kind === 'call' ? this.answers.get(step.recordedId) : undefined;
      if (!answer) return step;
      const { at, ...rest } = answer;
      const afterMs = Math.max(0, at - this.firstAt - step.afterMs);
      const isLate = afterMs > ((step as ReplayRequest).timeoutMs ?? Infinity);
      return { ...step, answer: isLate ? { name: 'timeout', afterMs } : { ...rest, afterMs } } as ReplayRequest;
    });
    return { steps, leftOut: { ...this.leftOut } };
  }

  private keep(id: string, step: ReplayStep): void {
    this.ids.add(id);
    this.steps.push(step);
    this.heldBytes += heldBytes(step);
    const early = this.early.get(id);
    this.forgetEarly(id);
    if (early) this.answered(id, early);
  }

  private stepOf(
    kind: TrafficKind,
    recordedId: string,
    message: Readonly<Record<string, unknown>>,
    record: TrafficRecord,
  ): ReplayStep | undefined {
    if (kind === 'notification') return this.notification(recordedId, message, record);
    return kind === 'other' || kind === 'reply' ? undefined : this.request(kind, recordedId, message, record);
  }

  private request(
    kind: ReplayRequest['kind'],
    recordedId: string,
    message: Readonly<Record<string, unknown>>,
    record: TrafficRecord,
  ): ReplayRequest | undefined {
    const request = decodeRequest(message);
    const address = addressOf(record);
    if (request.problem || address.topic === '') return undefined;
    const { method, args, namespace, version, callMonitorTimeout } = request;
    const { exchange, expirationMs } = record;
    return {
      kind,
      ...this.stepFacts(recordedId, record, request.context, args),
      exchange,
      target: { ...(kind === 'fanout' ? { fanout: true } : { exchange }), ...address, namespace, version },
      method,
      args,
      ...(expirationMs !== undefined && kind === 'call' && { timeoutMs: expirationMs }),
      ...(callMonitorTimeout !== undefined && { callMonitorTimeout }),
    };
  }

  private notification(
    recordedId: string,
    message: Readonly<Record<string, unknown>>,
    record: TrafficRecord,
  ): ReplayNotification | undefined {
    const { eventType, publisherId, priority, payload, context, problem } = decodeNotification(message);
    const { exchange, key } = record;
    const suffix = `.${priority}`;
    const known = NOTIFICATION_PRIORITIES.find((one) => one === priority);
    if (problem || eventType === undefined || known === undefined || !key.endsWith(suffix)) return undefined;
    return {
      kind: 'notification',
      ...this.stepFacts(recordedId, record, context, payload),
      exchange,
      topic: key.slice(0, -suffix.length),
      priority: known,
      ...(publisherId !== undefined && { publisherId }),
      eventType,
      payload,
    };
  }

  private stepFacts(recordedId: string, { t }: TrafficRecord, recorded: RequestContext, content: unknown): StepFacts {
    if (this.steps.length === 0) this.firstAt = t;
    const context = { ...recorded, ...this.changes };
    const isMasked = holdsMask(content) || holdsMask(context);
    return { n: this.steps.length + 1, afterMs: Math.max(0, t - this.firstAt), recordedId, context, isMasked };
  }

  /** Of a call that has answered with several values the last one counts. */
  private answered(id: string, record: TrafficRecord): void {
    const { message, t: at } = record;
    const reply = decodeReply(message!);
    if (isHeartbeat(reply)) return;
    if (!this.ids.has(id)) return this.keepEarly(id, record);
    // A call without its answer is not compared.
    if (this.isFull) return;
    this.heldBytes += heldBytes(message);
    const { result, failure, ending } = reply;
    if (failure !== null) {
      const { excType, module, message: text } = decodeFailure(failure, 'exact');
      this.answers.set(id, { name: 'failed', failure: { excType, module, message: text }, at, afterMs: 0 });
    } else if (!(ending && result === null && this.answers.has(id))) {
      this.answers.set(id, { name: 'answered', result, at, afterMs: 0 });
    }
  }

  private get isFull(): boolean {
    return this.heldBytes >= (this.limits.bytes ?? MOST_BYTES);
  }

  private keepEarly(id: string, record: TrafficRecord): void {
    if (this.isFull) return;
    this.forgetEarly(id);
    this.early.set(id, record);
    this.heldBytes += heldBytes(record);
    const [oldest] = this.early.keys();
    if (this.early.size > MOST_EARLY) this.forgetEarly(oldest!);
  }

  private forgetEarly(id: string): void {
    const early = this.early.get(id);
    if (early && this.early.delete(id)) this.heldBytes -= heldBytes(early);
  }
}

/**
 * When each step goes out, in milliseconds from the first one: at the recorded pace times `speed`, and never more than `maxRate`
 * a second.
 */
export function paceOf(steps: readonly ReplayStep[], speed: number, maxRate: number): number[] {
  let next = 0;
  return steps.map(({ afterMs }) => {
    const at = Math.max(afterMs / speed, next);
    next = at + 1_000 / maxRate;
    return at;
  });
}
