import { MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import { OsloMessagingError } from '../../../errors/oslo-messaging.error.js';
import { ReplyCode } from '../../link.js';
import { isHeldByOthers } from '../../refusal-words.js';
import { replyCode, replyText } from '../connection/reply-codes.js';

/** A refusal that will not pass by trying again: the first `consume` ends with it. */
export function refusalOf(error: unknown, queues: readonly string[]): Error | undefined {
  if (error instanceof OsloMessagingError) return error;
  const code = replyCode(error);
  if (code !== ReplyCode.accessRefused && code !== ReplyCode.preconditionFailed) return undefined;
  return new MessageDeliveryFailure(`${queues.join(', ')} cannot be consumed: ${replyText(error)}`, { cause: error });
}

/** So long a queue may be locked by a consumer that a lost connection has left behind. */
const longestHoldMs = 3_000;

/** Queues that somebody else may hold. */
export class HeldQueues {
  /** On the clock of `performance.now()`. */
  private since: number | undefined;

  /** True when that is no passing trouble. */
  note(error: unknown): boolean {
    const now = performance.now();
    this.since = isHeldByOthers(error) ? (this.since ?? now) : undefined;
    return this.since !== undefined && now - this.since >= longestHoldMs;
  }
}
