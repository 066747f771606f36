import type { Line } from './line.js';

/** A connection that has ended in order takes its consumers along within this time. */
const graceMs = 1_000;

/** One that was given up for its silence ends sooner, if the broker hears of it at all. */
const graceAfterSilenceMs = 250;

/** Looks once more at what was restored, when the broker has done with what was there before. */
export class SecondLook {
  private timer: NodeJS.Timeout | undefined;
  private graceMs = graceMs;

  constructor(private readonly look: () => Promise<void>) {}

  lineDown(line: Line): void {
    this.graceMs = line.fellSilent ? graceAfterSilenceMs : graceMs;
  }

  later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look().catch(() => undefined), this.graceMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
