import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { OsloMessagingError } from '../../errors/oslo-messaging.error.js';
import { ReplyCode, replyCode, replyText } from './amqp-reply.js';

/** What will not pass by trying again: the first `consume` ends with it. */
export function refusalOf(error: unknown, queues: readonly string[]): Error | undefined {
  if (error instanceof OsloMessagingError) return error;
  const code = replyCode(error);
  if (code !== ReplyCode.accessRefused && code !== ReplyCode.preconditionFailed) return undefined;
  return new MessageDeliveryFailure(`${queues.join(', ')} cannot be consumed: ${replyText(error)}`, { cause: error });
}
