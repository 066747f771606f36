/** The ends of a connection that can tell whether the other one is still there. */
export interface WatchedConnection {
  /** Grows with everything that arrives. */
  readonly signsOfLife: number;
  /** Makes the broker send something, anything. */
  probe(): void;
  /** True when silence is no sign of death now: a broker under an alarm reads nothing. */
  excused(): boolean;
  /** Nothing came for the whole time. */
  dead(): void;
}

const checksPerTimeout = 3;
/** So long after a hold-up everything is read that was there before. */
const aftermathMs = 1_000;

/**
 * Notices a connection whose other end is silently gone.
 *
 * Each third of the time it checks whether anything arrived; if not it asks the broker something, and
 * if the next check finds silence again the connection is dead. A third more passes at most
 * before the first check, which makes one whole timeout.
 */
export class Liveness {
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly intervalMs: number;
  private lastTickAt = performance.now();
  private heldUpAt = -Infinity;
  private seen = 0;
  private state: 'asked' | 'ended' | 'quiet' = 'quiet';

  /** `timeoutMs` 0: no watch, only heartbeats. */
  constructor(
    private readonly connection: WatchedConnection,
    timeoutMs: number,
  ) {
    this.intervalMs = timeoutMs / checksPerTimeout;
    if (timeoutMs <= 0) return;
    // Frames that arrived while this process was busy are read before immediates run.
    this.timer = setInterval(() => this.tick(), this.intervalMs);
    this.timer.unref();
  }

  end(): void {
    this.state = 'ended';
    clearInterval(this.timer);
  }

  /** This process has not turned its event loop for long, until just now: what the broker did meanwhile is still to be read. */
  get heldUp(): boolean {
    return performance.now() - this.heldUpAt < aftermathMs;
  }

  private tick(): void {
    const now = performance.now();
    const late = now - this.lastTickAt > 2 * this.intervalMs;
    this.lastTickAt = now;
    // Timers come before what is read.
    if (late) this.heldUpAt = now;
    setImmediate(() => this.check(late));
  }

  /** A process that was held up itself has not given the broker the time to answer. */
  private check(late: boolean): void {
    if (this.state === 'ended') return;
    const signs = this.connection.signsOfLife;
    if (signs !== this.seen || late || this.connection.excused()) {
      this.seen = signs;
      this.state = 'quiet';
      return;
    }
    if (this.state === 'asked') return this.connection.dead();
    this.state = 'asked';
    this.connection.probe();
  }
}
