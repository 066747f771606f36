import { longestTimerMs } from '../../events/longest-timer.js';

const granularityMs = 5;

/** One timer for many deadlines: set for the earliest, however many there are. */
export class DeadlineClock {
  private earliest = Infinity;
  private timer: NodeJS.Timeout | undefined;

  /** `onDue` ends what is due and returns the earliest deadline that is left. */
  constructor(private readonly onDue: (now: number) => number) {}

  watch(deadline: number): void {
    if (deadline < this.earliest) this.arm(deadline, 0);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.earliest = Infinity;
  }

  private arm(deadline: number, atLeastMs: number): void {
    clearTimeout(this.timer);
    this.earliest = deadline;
    const delay = Math.max(atLeastMs, Math.ceil(deadline - performance.now()));
    this.timer = setTimeout(() => this.due(), Math.min(delay, longestTimerMs));
  }

  private due(): void {
    this.earliest = Infinity;
    const next = this.onDue(performance.now());
    if (next < this.earliest) this.arm(next, granularityMs);
  }
}
