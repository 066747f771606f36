import { ReconnectPolicy } from './reconnect-policy.js';

/**
 * Several queues are often lost together, and each loss is told on its own. One that is declared anew before the broker has
 * told of its end is never told of: it is there again, and nobody consumes it.
 */
const SETTLE_MS = 50;

/** When a lost consumer is tried again: soon, then later and later. */
export class RestoreTimer {
  private readonly policy = new ReconnectPolicy();
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private stopped = false;

  constructor(private readonly action: () => void) {}

  /** All that is lost in the same moment is restored together. */
  soon(): void {
    this.arm(this.failures === 0 ? SETTLE_MS : this.policy.delayMs(this.failures));
  }

  /** The same, where nothing else is to come. */
  unlessSet(): void {
    if (!this.timer) this.soon();
  }

  later(): void {
    this.failures++;
    this.arm(this.policy.delayMs(this.failures));
  }

  succeeded(): void {
    this.failures = 0;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private arm(delayMs: number): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.action();
    }, delayMs);
  }
}
