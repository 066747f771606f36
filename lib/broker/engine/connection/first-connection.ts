import { ClosedError, MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import type { Connection } from './connection.js';
import { FirstTime } from './first-time.js';

/** Callers that wait for the bus to be reachable for the first time. */
export class FirstConnection {
  private readonly waiters = new Set<FirstTime>();
  private state: 'awaited' | 'closed' | 'happened' = 'awaited';
  private attempts = 0;

  /** `url` is for people. */
  constructor(
    private readonly connection: Connection,
    private readonly url: string,
  ) {
    connection.listen({
      connected: () => this.state === 'awaited' && this.end('happened'),
      attemptFailed: (failure) => {
        this.attempts++;
        for (const waiter of this.waiters) waiter.attemptFailed(failure);
      },
    });
  }

  /** @throws MessageDeliveryFailure when `giveUpMs` passes first @throws ClosedError */
  wait(giveUpMs?: number): Promise<void> {
    const waiter = new FirstTime(giveUpMs, () => this.giveUp(waiter));
    this.waiters.add(waiter);
    if (this.state !== 'awaited') this.end(this.state);
    return waiter.promise;
  }

  close(): void {
    this.end('closed');
  }

  private end(state: 'closed' | 'happened'): void {
    this.state = state;
    for (const waiter of this.waiters) waiter.end(state === 'closed' ? new ClosedError('broker') : undefined);
    this.waiters.clear();
  }

  private giveUp(waiter: FirstTime): void {
    this.waiters.delete(waiter);
    const { attempts, connection, url } = this;
    const { host, reason, error } = connection.lastFailure ?? {};
    const text =
      host === undefined
        ? `No connection to ${url} in time: the first attempt has not ended yet`
        : `No connection to ${host}: ${reason}`;
    waiter.end(new MessageDeliveryFailure(text, { host, cause: error, attempts }));
  }
}
