import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { longestTimerMs } from '../../events/longest-timer.js';

interface Waiter {
  /** Whether one failed attempt is enough to give up. */
  impatient: boolean;
  timer: NodeJS.Timeout | undefined;
  resolve(): void;
  reject(error: Error): void;
}

/** Those who wait until the line to the bus is up. */
export class LineWaiters {
  private readonly waiters = new Set<Waiter>();

  /**
   * @throws MessageDeliveryFailure when `giveUpMs` passes first; 0: after the first failed attempt
   * @throws ClosedError
   */
  wait(giveUpMs = Infinity): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { impatient: giveUpMs <= 0, timer: undefined, resolve, reject };
      this.waiters.add(waiter);
      if (waiter.impatient || giveUpMs === Infinity) return;
      const reason = `The bus was not reachable within ${giveUpMs} ms`;
      waiter.timer = setTimeout(() => this.giveUp(waiter, reason), Math.min(giveUpMs, longestTimerMs));
    });
  }

  attemptFailed(error: Error): void {
    for (const waiter of this.waiters) if (waiter.impatient) this.giveUp(waiter, error.message, error);
  }

  release(): void {
    for (const waiter of this.take()) waiter.resolve();
  }

  close(): void {
    for (const waiter of this.take()) waiter.reject(new ClosedError('broker'));
  }

  private giveUp(waiter: Waiter, reason: string, cause?: Error): void {
    this.waiters.delete(waiter);
    waiter.reject(new MessageDeliveryFailure(reason, { cause }));
  }

  private take(): Waiter[] {
    const waiters = [...this.waiters];
    this.waiters.clear();
    for (const { timer } of waiters) clearTimeout(timer);
    return waiters;
  }
}
