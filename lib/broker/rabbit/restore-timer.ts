import { ReconnectPolicy } from './reconnect-policy.js';

/** When a lost consumer is tried again: soon, then later and later. */
export class RestoreTimer {
  private readonly policy = new ReconnectPolicy();
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private stopped = false;

  constructor(private readonly action: () => void) {}

  /** All that is lost in the same moment is restored together. */
  soon(): void {
    this.arm(this.failures === 0 ? 0 : this.policy.delayMs(this.failures));
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
    if (!this.stopped) this.timer = setTimeout(this.action, delayMs);
  }
}
