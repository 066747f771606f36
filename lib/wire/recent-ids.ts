/** Python's have 32 or 36 characters. */
export const LONGEST_ID = 256;

/**
 * Remembers ids for a bounded time and in a bounded number, to recognise what comes a second time.
 *
 * Python remembers the last 16 ids of each listener, which a busy service forgets within milliseconds;
 * two generations of sets keep far more at a constant cost and without a timer.
 */
export class RecentIds {
  private current = new Set<string>();
  private previous = new Set<string>();
  private rotatedAt = performance.now();

  /** Ids are recognised for `lifeMs` to twice that, and the last `capacity` to twice that many. */
  constructor(
    private readonly lifeMs = 300_000,
    private readonly capacity = 50_000,
  ) {}

  has(id: string): boolean {
    this.rotateWhenDue();
    return this.current.has(id) || this.previous.has(id);
  }

  /** Only of a length that ids have: what a peer sends in their place is no duplicate, and not to fill the memory. */
  add(id: string): void {
    this.rotateWhenDue();
    if (id.length > 0 && id.length <= LONGEST_ID) this.current.add(id);
  }

  delete(id: string): void {
    this.current.delete(id);
    this.previous.delete(id);
  }

  private rotateWhenDue(): void {
    const now = performance.now();
    const age = now - this.rotatedAt;
    if (age < this.lifeMs && this.current.size < this.capacity) return;
    this.previous = age < 2 * this.lifeMs ? this.current : new Set();
    this.current = new Set();
    this.rotatedAt = now;
  }
}
