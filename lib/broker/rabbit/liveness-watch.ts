/** The ends of a connection that can tell whether the other one is still there. */
export interface WatchedLine {
  /** Grows with everything that arrives. */
  bytesRead(): number;
  /** Makes the broker send something, anything. */
  probe(): void;
  /** Whether silence is no sign of death now: a broker under an alarm reads nothing. */
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
 * Each third of the time it looks whether anything arrived; if not it asks the broker something, and
 * if the next look finds silence again the connection is dead. A third more passes at most
 * before the first look, which makes one whole timeout.
 */
export class LivenessWatch {
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly intervalMs: number;
  private lastTickAt = performance.now();
  private heldUpAt = -Infinity;
  private seen = 0;
  private asked = false;
  private ended = false;

  /** `timeoutMs` 0: no watch, only heartbeats. */
  constructor(
    private readonly line: WatchedLine,
    timeoutMs: number,
  ) {
    this.intervalMs = timeoutMs / checksPerTimeout;
    if (timeoutMs <= 0) return;
    // What has arrived while this process was busy is read before immediates run.
    this.timer = setInterval(() => this.tick(), this.intervalMs);
    this.timer.unref();
  }

  end(): void {
    this.ended = true;
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
    setImmediate(() => this.look(late));
  }

  /** A process that was held up itself has not given the broker the time to answer. */
  private look(late: boolean): void {
    if (this.ended) return;
    const bytes = this.line.bytesRead();
    if (bytes !== this.seen || late || this.line.excused()) {
      this.seen = bytes;
      this.asked = false;
      return;
    }
    if (this.asked) return this.line.dead();
    this.asked = true;
    this.line.probe();
  }
}
