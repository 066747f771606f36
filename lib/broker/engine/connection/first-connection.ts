import { ClosedError, MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import { longestTimerMs } from '../../../events/longest-timer.js';
import type { AttemptFailure, Connection } from './connection.js';

interface Waiter {
  /** True when one failed attempt is enough to give up. */
  impatient: boolean;
  timer: NodeJS.Timeout | undefined;
  resolve(): void;
  reject(error: Error): void;
}

/** Callers that wait for the bus to be reachable for the first time. */
export class FirstConnection {
  private readonly waiters = new Set<Waiter>();
  private state: 'awaited' | 'closed' | 'happened' = 'awaited';
  private lastFailure: AttemptFailure | undefined;
  private attempts = 0;

  /** `url` is for people. */
  constructor(
    connection: Connection,
    private readonly url: string,
  ) {
    connection.listen({
      connected: () => this.connected(),
      attemptFailed: (failure) => this.attemptFailed(failure),
    });
  }

  /** @throws MessageDeliveryFailure when `giveUpMs` passes first @throws ClosedError */
  wait(giveUpMs = Infinity): Promise<void> {
    if (this.state === 'closed') return Promise.reject(new ClosedError('broker'));
    if (this.state === 'happened') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { impatient: giveUpMs <= 0, timer: undefined, resolve, reject };
      this.waiters.add(waiter);
      if (waiter.impatient || giveUpMs === Infinity) return;
      waiter.timer = setTimeout(() => this.giveUp(waiter), Math.min(giveUpMs, longestTimerMs));
    });
  }

  close(): void {
    this.state = 'closed';
    for (const waiter of this.take()) waiter.reject(new ClosedError('broker'));
  }

  private connected(): void {
    if (this.state === 'closed') return;
    this.state = 'happened';
    for (const waiter of this.take()) waiter.resolve();
  }

  private attemptFailed(failure: AttemptFailure): void {
    this.lastFailure = failure;
    this.attempts++;
    for (const waiter of this.waiters) if (waiter.impatient) this.giveUp(waiter);
  }

  private giveUp(waiter: Waiter): void {
    this.waiters.delete(waiter);
    const { lastFailure, attempts } = this;
    const text = lastFailure
      ? `No connection to ${lastFailure.host}: ${lastFailure.reason}`
      : `No connection to ${this.url} in time: the first attempt has not ended yet`;
    waiter.reject(new MessageDeliveryFailure(text, { host: lastFailure?.host, cause: lastFailure?.error, attempts }));
  }

  private take(): Waiter[] {
    const waiters = [...this.waiters];
    this.waiters.clear();
    for (const { timer } of waiters) clearTimeout(timer);
    return waiters;
  }
}
