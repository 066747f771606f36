/** A smaller message has left on any line before its silence is noticed. */
const largeBytes = 262_144;

/** A line that is slower is not worth waiting for. */
const slowestBytesPerMs = 100;

const nothing = (): void => undefined;

/**
 * Large messages that the broker has not taken yet. Until they are through nothing can come back on a slow line, which is
 * no silence: given up for it, the message would begin anew on the next connection, again and again.
 */
export class LargeUploads {
  private bytes = 0;
  private changedAt = 0;

  /** Whether they may still take their time. */
  get areUnderWay(): boolean {
    return this.bytes > 0 && performance.now() - this.changedAt < this.bytes / slowestBytesPerMs;
  }

  /** Returns what is to be called at its end, once. */
  begin(bytes: number): () => void {
    if (bytes < largeBytes) return nothing;
    // More of them are no sign of life.
    if (this.bytes === 0) this.changedAt = performance.now();
    this.bytes += bytes;
    return () => {
      this.bytes -= bytes;
      this.changedAt = performance.now();
    };
  }
}
