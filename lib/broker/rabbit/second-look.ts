/** A connection that has ended in order takes its consumers along within this time. */
const graceMs = 1_000;

/** Looks once more at what was restored, when the broker has done with what was there before. */
export class SecondLook {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly look: () => Promise<void>) {}

  later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look().catch(() => undefined), graceMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
