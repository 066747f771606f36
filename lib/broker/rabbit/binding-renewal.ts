const shortestPauseMs = 1_000;
const longestPauseMs = 5_000;

/** Binds again what may have lost its exchange: at once, but not too often; and again, for as long as that is refused. */
export class BindingRenewal {
  private timer: NodeJS.Timeout | undefined;
  private triedAt = -Infinity;
  private failures = 0;
  private stopped = false;

  /** `renew` says whether it was done, or is not to be done. */
  constructor(private readonly renew: () => Promise<boolean>) {}

  soon(): void {
    if (this.stopped || this.timer) return;
    const pauseMs = Math.min(longestPauseMs, shortestPauseMs * 2 ** this.failures);
    this.timer = setTimeout(() => void this.now(), Math.max(0, this.triedAt + pauseMs - performance.now()));
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  async now(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.triedAt = performance.now();
    if (await this.renew()) {
      this.failures = 0;
      return;
    }
    this.failures++;
    this.soon();
  }
}
