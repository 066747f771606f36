import { longestTimerMs } from '../../events/longest-timer.js';

interface UnderWay {
  arrive(): void;
  /** On the clock of `performance.now()`. */
  sentAt: number;
}

/** One direction of a line: everything arrives in its order, at once or as late as the bus is slow. */
export class OneWay {
  private underWay: UnderWay[] = [];
  private timer: NodeJS.Timeout | undefined;
  private held = false;

  constructor(private readonly delayMs: () => number) {}

  /** Whether it arrived at once, and nothing is left under way. */
  pass(arrive: () => void): boolean {
    if (this.delayMs() === 0 && !this.held && this.underWay.length === 0) {
      arrive();
      return this.underWay.length === 0;
    }
    this.underWay.push({ arrive, sentAt: performance.now() });
    this.arm();
    return false;
  }

  /** What has just arrived is not read, nor is anything after it, before `release`. */
  refuse(arrive: () => void): void {
    this.underWay.unshift({ arrive, sentAt: -Infinity });
    this.hold();
  }

  private hold(): void {
    this.held = true;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  release(): void {
    this.held = false;
    this.bringIn();
  }

  /** What is under way is as fast, or as slow, as what comes after it. */
  delayChanged(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.arm();
  }

  /** What is under way is lost. */
  cut(): void {
    this.hold();
    this.held = false;
    this.underWay = [];
  }

  private bringIn(): void {
    while (!this.held && this.underWay[0] && this.msLeft(this.underWay[0]) <= 0) {
      this.underWay.shift()!.arrive();
    }
    this.arm();
  }

  private arm(): void {
    const [first] = this.underWay;
    if (!first || this.held || this.timer) return;
    this.timer = setTimeout(
      () => {
        this.timer = undefined;
        this.bringIn();
      },
      Math.min(Math.max(0, this.msLeft(first)), longestTimerMs),
    );
  }

  private msLeft({ sentAt }: UnderWay): number {
    return Math.ceil(sentAt + this.delayMs() - performance.now());
  }
}
