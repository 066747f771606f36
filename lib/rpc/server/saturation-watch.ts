/** So long at a stretch no handler slot may be free. */
const TOLERATED_MS = 10_000;

/** Notices when handlers hang, or are too slow for what comes. However often slots fill up, there is one timer in that time. */
export class SaturationWatch {
  /** The stretch in which no slot was free, while it lasts. */
  private stretch: { readonly since: number; reported: boolean } | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onChanged: (saturated: boolean) => void) {}

  get saturated(): boolean {
    return this.stretch?.reported === true;
  }

  /** No slot is free, and none will be at once. */
  full(): void {
    if (this.stretch) return;
    this.stretch = { since: performance.now(), reported: false };
    this.timer ??= setTimeout(() => this.check(), TOLERATED_MS).unref();
  }

  free(): void {
    const { stretch } = this;
    this.stretch = undefined;
    if (stretch?.reported) this.onChanged(false);
  }

  /** Nothing is said any more. */
  end(): void {
    this.stretch = undefined;
    clearTimeout(this.timer);
  }

  private check(): void {
    this.timer = undefined;
    const { stretch } = this;
    if (!stretch) return;
    const leftMs = stretch.since + TOLERATED_MS - performance.now();
    if (leftMs > 0) {
      this.timer = setTimeout(() => this.check(), leftMs).unref();
    } else {
      stretch.reported = true;
      this.onChanged(true);
    }
  }
}
