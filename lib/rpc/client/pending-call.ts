import { isUnconfirmed } from '../../errors/oslo-messaging.error.js';
import { MessagingTimeout } from '../../errors/rpc.errors.js';
import type { TimeoutDiagnosis } from '../../errors/timeout-diagnosis.js';
import { longestTimerMs } from '../../events/longest-timer.js';
import { RecentIds } from '../../wire/recent-ids.js';
import type { RpcReply } from '../../wire/rpc/rpc-reply.js';
import type { TargetInspection } from './target-inspections.js';

/** Facts of a call while it waits and, for late replies, afterwards. */
export interface CallFacts {
  readonly msgId: string;
  readonly method: string;
  readonly target: string;
  /** Destination of the request; the routing key names the queue. */
  readonly exchange: string;
  readonly queue: string;
  readonly replyQueue: string;
}

/** The keeper of the calls that wait, which knows their surroundings. */
export interface CallKeeper {
  /** Called once, when the call has ended however it did. */
  forget(call: PendingCall, answerMayCome: boolean): void;
  /** Begins to inspect where the request went. */
  inspection(call: PendingCall): TargetInspection;
  diagnose(call: PendingCall): TimeoutDiagnosis;
}

export interface CallTimeouts {
  /** Milliseconds that the whole call may take. */
  readonly timeoutMs: number;
  /** Milliseconds without a sign of life from the server; undefined: no monitor. */
  readonly monitorMs?: number;
}

/** How a call ended: an answer (`failure` null or the failure's JSON), or an error of our own. */
export interface CallOutcome {
  /** Takes each value of a multicall; without it an answer is the last of them. */
  next?(value: unknown): void;
  answered(result: unknown, failure: string | null): void;
  failed(error: unknown): void;
}

/**
 * What is known of the request. `unrouted`: no queue took it, and it is tried again; `dropped`: no queue took it, and the
 * broker has confirmed that.
 */
type RequestState = 'confirmed' | 'dropped' | 'sent' | 'unrouted' | 'unsent';

/** The calls that one signal ends. */
interface SignalEnding {
  readonly calls: Set<PendingCall>;
  unlisten(): void;
}

const endings = new WeakMap<AbortSignal, SignalEnding>();

/** What a lost connection has left unacknowledged comes again with the next one. */
const REPETITION_MS = 60_000;
const REMEMBERED_VALUES = 1_000;

/** Before its deadline a call inspects its target: so long, or a fifth of a shorter timeout. */
const LONGEST_LEAD_MS = 1000;

/** The timer of a process that runs is not so late. Ours stood still, and the answer may lie in its socket, unread. */
const STALL_MS = 500;

/**
 * One call that waits for its answer: one timer, whatever monitors and heartbeats there are. It fires
 * when it is time to inspect the target, and then at the deadline.
 */
export class PendingCall {
  /** On the clock of `performance.now()`. */
  readonly startedAt = performance.now();
  private request: RequestState = 'unsent';
  /** The state of the target, from shortly before the deadline on. */
  inspection: TargetInspection | undefined;
  /** Set when it has timed out. */
  diagnosis: TimeoutDiagnosis | undefined;
  private readonly leadMs: number;
  private heardAt = this.startedAt;
  private result: unknown = null;
  /** Ids of the last values of a multicall: one that was sent again is not another. */
  private taken: RecentIds | undefined;
  private failure: string | null = null;
  private timer: NodeJS.Timeout | undefined;
  private state: 'ended' | 'late' | 'waiting' = 'waiting';
  private endings: (() => void)[] | undefined;

  /** `owner` is whoever closes it. */
  constructor(
    readonly facts: CallFacts,
    private readonly timeouts: CallTimeouts,
    private readonly outcome: CallOutcome,
    private readonly keeper: CallKeeper,
    readonly owner: object,
  ) {
    const { timeoutMs, monitorMs = timeoutMs } = timeouts;
    this.leadMs = Math.min(LONGEST_LEAD_MS, timeoutMs / 5, monitorMs / 5);
    this.arm();
  }

  get remainingMs(): number {
    return this.startedAt + this.timeouts.timeoutMs - performance.now();
  }

  /** A server may have the request from now on. */
  requestSent(): void {
    this.request = 'sent';
  }

  routed(isRouted: boolean): void {
    this.request = isRouted ? 'sent' : 'unrouted';
  }

  requestConfirmed(): void {
    this.request = this.request === 'unrouted' ? 'dropped' : 'confirmed';
  }

  /** True when the broker has confirmed the request. */
  get confirmed(): boolean {
    return this.request === 'confirmed' || this.request === 'dropped';
  }

  /** True when the broker had no queue for it the last time. */
  get isUnrouted(): boolean {
    return this.request === 'unrouted' || this.request === 'dropped';
  }

  get ended(): boolean {
    return this.state === 'ended';
  }

  /** The time that runs out first, as things are. */
  get waitsFor(): TimeoutDiagnosis['waitedFor'] {
    return this.dueAt < this.startedAt + this.timeouts.timeoutMs ? 'heartbeat' : 'answer';
  }

  /** Undefined: none came. */
  get lastHeartbeatMsAgo(): number | undefined {
    return this.heardAt === this.startedAt ? undefined : Math.round(performance.now() - this.heardAt);
  }

  /**
   * Takes one reply message: an answer, a heartbeat (`ending` false, all null), a value of several, or one half of the
   * legacy pair (the payload with `ending` false, then null with `ending` true), as `_wait_for_reply` does.
   */
  receive(reply: RpcReply): void {
    this.heardAt = performance.now();
    if (reply.result !== null) this.take(reply);
    if (reply.failure !== null) this.failure = reply.failure;
    if (!reply.ending || !this.end(false)) return;
    this.outcome.answered(this.result, this.failure);
  }

  private take({ result, uniqueId }: RpcReply): void {
    const { outcome } = this;
    if (!outcome.next) {
      this.result = result;
      return;
    }
    if (uniqueId !== undefined) {
      this.taken ??= new RecentIds(REPETITION_MS, REMEMBERED_VALUES);
      if (this.taken.has(uniqueId)) return;
      this.taken.add(uniqueId);
    }
    try {
      outcome.next(result);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the call with the reason of `signal` when that is aborted. */
  endWith(signal: AbortSignal): void {
    this.whenEnded(endingWith(signal, this));
  }

  /** For what waits on its behalf. */
  whenEnded(stop: () => void): void {
    (this.endings ??= []).push(stop);
  }

  /** Ends the call without an answer; one may still come if its request was sent. */
  fail(error: unknown): void {
    if (this.end(this.isSent)) this.outcome.failed(error);
  }

  /** Its request was not sent. One that expired before ends with the call's own, better told timeout. */
  failUnsent(error: unknown): void {
    if (error instanceof MessagingTimeout) return;
    // Only a request whose confirm was lost may be with the broker all the same.
    if (!isUnconfirmed(error)) this.request = 'unsent';
    this.fail(error);
  }

  /** Ends the call, and tells nobody. */
  abandon(): void {
    this.end(this.isSent);
  }

  private get isSent(): boolean {
    return this.request !== 'unsent';
  }

  private end(answerMayCome: boolean): boolean {
    if (this.state === 'ended') return false;
    this.state = 'ended';
    clearTimeout(this.timer);
    this.keeper.forget(this, answerMayCome);
    this.endings?.forEach((stop) => stop());
    return true;
  }

  private get dueAt(): number {
    const { timeoutMs, monitorMs } = this.timeouts;
    const deadline = this.startedAt + timeoutMs;
    return monitorMs === undefined ? deadline : Math.min(deadline, this.heardAt + monitorMs);
  }

  private arm(): void {
    const next = this.inspection ? this.dueAt : this.dueAt - this.leadMs;
    const delay = Math.max(0, Math.ceil(next - performance.now()));
    this.timer = setTimeout(() => this.check(), Math.min(delay, longestTimerMs));
  }

  /** A heartbeat does not touch the timer: how much time is left is looked at when it fires. */
  private check(): void {
    const now = performance.now();
    if (this.dueAt <= now) {
      if (this.state === 'late' || now < this.dueAt + STALL_MS) return this.timeOut();
      return this.readFirst();
    }
    this.state = 'waiting';
    if (this.dueAt - this.leadMs > now) this.inspection = undefined;
    else this.inspection ??= this.keeper.inspection(this);
    this.arm();
  }

  /** Timers come before sockets. */
  private readFirst(): void {
    this.state = 'late';
    this.timer = setTimeout(() => this.check(), 0);
  }

  private timeOut(): void {
    this.diagnosis = this.keeper.diagnose(this);
    this.fail(this.timeoutError(this.diagnosis));
  }

  private timeoutError(diagnosis: TimeoutDiagnosis): MessagingTimeout {
    const { method, target, msgId, replyQueue } = this.facts;
    const elapsedMs = Math.round(performance.now() - this.startedAt);
    const reason =
      diagnosis.waitedFor === 'heartbeat'
        ? `no heartbeat of the server for ${this.timeouts.monitorMs! / 1000} s`
        : `no answer within ${this.timeouts.timeoutMs / 1000} s`;
    const text = `Call of ${method} to ${target} timed out: ${reason}; ${diagnosis.summary} (message ${msgId})`;
    return new MessagingTimeout(text, { method, target, msgId, replyQueue, elapsedMs, diagnosis });
  }
}

/**
 * Ends `call` with `signal`; the returned function forgets it. However many calls share a signal, it has one listener
 * of ours, as Node takes more than ten for a leak, and only while any of them waits.
 */
function endingWith(signal: AbortSignal, call: PendingCall): () => void {
  const ending = endings.get(signal) ?? listenedTo(signal);
  ending.calls.add(call);
  return () => {
    ending.calls.delete(call);
    if (ending.calls.size === 0) ending.unlisten();
  };
}

function listenedTo(signal: AbortSignal): SignalEnding {
  const calls = new Set<PendingCall>();
  const abort = (): void => calls.forEach((call) => call.fail(signal.reason));
  const unlisten = (): void => {
    endings.delete(signal);
    signal.removeEventListener('abort', abort);
  };
  signal.addEventListener('abort', abort);
  const ending = { calls, unlisten };
  endings.set(signal, ending);
  return ending;
}
