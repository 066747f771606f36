import { longestTimerMs } from '../../../events/longest-timer.js';
import type { AttemptFailure } from './connection.js';

type Failure = Pick<AttemptFailure, 'error' | 'reason'>;

/** Something that is awaited for the first time, for a bounded time. */
export class FirstTime<F extends Failure = Failure> {
  readonly promise: Promise<void>;
  /** It is there; with an error, it is awaited in vain. Only the first call counts. */
  end!: (error?: Error) => void;
  private lastFailure: F | undefined;

  /** `giveUpMs` 0: one failed attempt is enough. `giveUp` is to `end` it, with what went wrong last. */
  constructor(
    private readonly giveUpMs = Infinity,
    private readonly giveUp: (failure?: F) => void,
  ) {
    const isTimed = giveUpMs > 0 && giveUpMs < Infinity;
    const timer = isTimed ? setTimeout(() => giveUp(this.lastFailure), Math.min(giveUpMs, longestTimerMs)) : undefined;
    this.promise = new Promise((resolve, reject) => {
      this.end = (error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      };
    });
  }

  attemptFailed(failure: F): void {
    this.lastFailure = failure;
    if (this.giveUpMs <= 0) this.giveUp(failure);
  }
}
