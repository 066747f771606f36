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
  private lastLookAt = performance.now();
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
    this.timer = setInterval(() => setImmediate(() => this.look()), this.intervalMs);
    this.timer.unref();
  }

  end(): void {
    this.ended = true;
    clearInterval(this.timer);
  }

  private look(): void {
    if (this.ended) return;
    const now = performance.now();
    // A process that was held up itself has not given the broker the time to answer.
    const late = now - this.lastLookAt > 2 * this.intervalMs;
    this.lastLookAt = now;
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
