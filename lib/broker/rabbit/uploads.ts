import type { Receipt } from '../link.js';

/** A smaller message has left on any connection before its silence is noticed. */
const largeBytes = 262_144;

/** A connection that is slower is not worth waiting for. */
const slowestBytesPerMs = 100;

/**
 * Large messages that the broker has not taken yet. Until they are through nothing can come back on a slow connection, which is
 * no silence: given up for it, the message would begin anew on the next connection, again and again.
 */
export class Uploads {
  /** They go out one after the other. */
  private readonly waiting = new Set<{ readonly bytes: number }>();
  private changedAt = 0;

  /** True when the first of them may still take its time; that more have come is no sign of life. */
  get areUnderWay(): boolean {
    const [first] = this.waiting;
    return first !== undefined && performance.now() - this.changedAt < first.bytes / slowestBytesPerMs;
  }

  /** Returns what is to be called with the receipt of a message that has been written. */
  watched(bytes: number, receipt: Receipt): Receipt {
    if (bytes < largeBytes) return receipt;
    if (this.waiting.size === 0) this.changedAt = performance.now();
    const upload = { bytes };
    this.waiting.add(upload);
    return (refusal) => {
      this.waiting.delete(upload);
      this.changedAt = performance.now();
      receipt(refusal);
    };
  }
}
