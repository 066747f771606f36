import { MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import { OsloMessagingError } from '../../../errors/oslo-messaging.error.js';
import { longestTimerMs } from '../../../events/longest-timer.js';
import { ReplyCode } from '../../link.js';
import { replyCode, replyText } from '../connection/reply-codes.js';

/** The time until all queues are consumed for the first time. */
export class StartOfConsuming {
  private readonly timer: NodeJS.Timeout | undefined;
  private lastFailure: string | undefined;

  constructor(
    giveUpMs: number | undefined,
    private readonly promise: { resolve(): void; reject(error: Error): void },
    giveUp: (reason: string) => void,
  ) {
    if (giveUpMs === undefined || giveUpMs <= 0 || giveUpMs === Infinity) return;
    const tooLate = (): void =>
      giveUp(`not within ${giveUpMs} ms; ${this.lastFailure ?? 'the broker has not answered'}`);
    this.timer = setTimeout(tooLate, Math.min(giveUpMs, longestTimerMs));
  }

  hindered(reason: string): void {
    this.lastFailure = reason;
  }

  succeed(): void {
    clearTimeout(this.timer);
    this.promise.resolve();
  }

  fail(error: Error): void {
    clearTimeout(this.timer);
    this.promise.reject(error);
  }
}

/** A refusal that will not pass by trying again: the first `consume` ends with it. */
export function refusalOf(error: unknown, queues: readonly string[]): Error | undefined {
  if (error instanceof OsloMessagingError) return error;
  const code = replyCode(error);
  if (code !== ReplyCode.accessRefused && code !== ReplyCode.preconditionFailed) return undefined;
  return new MessageDeliveryFailure(`${queues.join(', ')} cannot be consumed: ${replyText(error)}`, { cause: error });
}

/** So long a queue may be locked by a consumer that a lost connection has left behind. */
export const longestHoldMs = 3_000;

/** Somebody else consumes the queue, or has made it, exclusively; a missing permission is not about its name. */
export function isHeldByOthers(error: unknown): boolean {
  const reason = replyCode(error) === undefined && error instanceof Error ? error.cause : error;
  if (replyCode(reason) === ReplyCode.resourceLocked) return true;
  return replyCode(reason) === ReplyCode.accessRefused && !replyText(reason).includes('refused for user');
}
