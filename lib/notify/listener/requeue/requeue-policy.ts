import type { ResolvedListenerOptions } from '../notification-listener-options.js';

type Limits = Pick<ResolvedListenerOptions, 'requeueBackoffMaxMs' | 'requeueBackoffMs' | 'requeueLimit'>;

/** How often a notification may go back to its queue, and how long it is held back when it returns. */
export class RequeuePolicy {
  constructor(private readonly limits: Limits) {}

  /** True when what has gone back `attempts` times may do so again. */
  allowsAnother(attempts: number): boolean {
    return attempts < this.limits.requeueLimit;
  }

  /** How often what failed first so long ago has gone back, where each time it was held back as long as it should. */
  attemptsWithin(elapsedMs: number): number {
    let attempts = 1;
    let left = elapsedMs;
    while (attempts < this.limits.requeueLimit && (left -= this.delayMs(attempts)) >= 0) attempts += 1;
    return attempts;
  }

  delayMs(attempts: number): number {
    const { requeueBackoffMs, requeueBackoffMaxMs } = this.limits;
    return Math.min(requeueBackoffMaxMs, requeueBackoffMs * 2 ** (attempts - 1));
  }
}
