import { pause } from '../../events/pause.js';

/** `open`: requests go out at their times, whatever becomes of those before; `closed`: each of so many waits for its own. */
export type LoadModel =
  | { readonly name: 'closed'; readonly concurrency: number }
  | { readonly name: 'open'; readonly perSecond: number };

/** The end of one request that counts: `unsent`, too many were in flight already. */
export type RequestOutcome = 'answered' | 'failed' | 'timed out' | 'unsent';

/** How a request has ended, and where it has failed why. */
export interface RequestEnd {
  readonly outcome: RequestOutcome;
  readonly reason?: string;
}

/** The load was ended while it waited: it does not count. */
export interface InterruptedRequest {
  readonly outcome: 'interrupted';
}

/** One request that counts. */
export interface MeasuredRequest extends RequestEnd {
  /** Milliseconds; in the open model since the moment at which it should have gone out. */
  readonly latencyMs: number;
  /** Milliseconds after which it went out. Of that alone we are to blame, and not the server. */
  readonly behindMs: number;
}

export interface LoadPlan {
  readonly model: LoadModel;
  /** Requests of that time do not count. */
  readonly warmupMs: number;
  /** After the warm-up. */
  readonly durationMs: number;
  /** Ends the load as well: so many that count. */
  readonly count: number;
  /** Milliseconds by which an open schedule begins later, where several processes share one. */
  readonly offsetMs?: number;
  /** Waits for its answer until the load is interrupted. Never rejects. */
  send(interrupted: AbortSignal): Promise<InterruptedRequest | RequestEnd>;
  measured(request: MeasuredRequest): void;
  /** Milliseconds, never backwards. */
  now?(): number;
  /** Of milliseconds and their parts. @defaultValue a timer, which is late by up to 2 ms */
  sleep?(ms: number): Promise<void>;
}

/** A load, when it is over. */
export interface LoadSpan {
  /** Milliseconds from the end of the warm-up to the last answer; of an open load at least to the end of its schedule. */
  readonly elapsedMs: number;
}

/** As many may be in flight; more would be a burden of our own. */
export const MOST_IN_FLIGHT = 20_000;
const LONGEST_SLEEP_MS = 200;

function timer(ms: number): Promise<void> {
  return pause(Math.ceil(ms));
}

/** Sends requests as planned, and resolves when all of them have ended. */
export class LoadGenerator {
  private readonly now: () => number;
  private readonly begunAt: number;
  private readonly pending = new Set<Promise<void>>();
  private counted = 0;
  private scheduledTo = 0;

  constructor(private readonly plan: LoadPlan) {
    this.now = plan.now ?? (() => performance.now());
    this.begunAt = this.now();
  }

  get inFlight(): number {
    return this.pending.size;
  }

  async run(interrupted: AbortSignal): Promise<LoadSpan> {
    const { model } = this.plan;
    if (model.name === 'open') await this.open(1_000 / model.perSecond, interrupted);
    else await Promise.all(Array.from({ length: model.concurrency }, () => this.closed(interrupted)));
    await Promise.all(this.pending);
    const endedAt = interrupted.aborted ? this.now() : Math.max(this.now(), this.scheduledTo);
    return { elapsedMs: Math.max(0, endedAt - this.begunAt - this.plan.warmupMs) };
  }

  /** All that is due goes out, also when a timer or answers have come late: then several at once. */
  private async open(intervalMs: number, interrupted: AbortSignal): Promise<void> {
    const firstAt = this.begunAt + (this.plan.offsetMs ?? 0);
    for (let n = 0; !interrupted.aborted; n += 1) {
      const dueAt = firstAt + n * intervalMs;
      // The time until the next one would go out belongs to the last one: else a short load has a higher rate than it was told.
      this.scheduledTo = dueAt;
      if (this.isOver(dueAt)) return;
      await this.until(dueAt, interrupted);
      if (interrupted.aborted) return;
      this.launch(dueAt, interrupted);
    }
  }

  private async until(dueAt: number, interrupted: AbortSignal): Promise<void> {
    const { sleep = timer } = this.plan;
    for (let ms = dueAt - this.now(); ms > 0 && !interrupted.aborted; ms = dueAt - this.now()) {
      // An interruption does not wait for the next request of a slow schedule.
      await sleep(Math.min(ms, LONGEST_SLEEP_MS));
    }
  }

  private async closed(interrupted: AbortSignal): Promise<void> {
    for (let at = this.now(); !interrupted.aborted && !this.isOver(at); at = this.now())
      await this.request(at, interrupted);
  }

  private isOver(at: number): boolean {
    const { count, durationMs, warmupMs } = this.plan;
    return at >= this.begunAt + warmupMs + durationMs || this.counted >= count;
  }

  private launch(dueAt: number, interrupted: AbortSignal): void {
    if (this.pending.size >= MOST_IN_FLIGHT) {
      if (this.counts(dueAt)) this.tell({ outcome: 'unsent' }, dueAt, this.now());
      return;
    }
    const request = this.request(dueAt, interrupted).finally(() => this.pending.delete(request));
    this.pending.add(request);
  }

  private async request(dueAt: number, interrupted: AbortSignal): Promise<void> {
    const isMeasured = this.counts(dueAt);
    const sentAt = this.now();
    const end = await this.plan.send(interrupted);
    if (isMeasured && end.outcome !== 'interrupted') this.tell(end, dueAt, sentAt);
  }

  private counts(dueAt: number): boolean {
    if (dueAt < this.begunAt + this.plan.warmupMs) return false;
    this.counted += 1;
    return true;
  }

  private tell(end: RequestEnd, dueAt: number, sentAt: number): void {
    this.plan.measured({ ...end, latencyMs: this.now() - dueAt, behindMs: sentAt - dueAt });
  }
}
