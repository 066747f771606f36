import { gatheredBy } from '../../errors/text-of.js';

/** AMQP reply codes that decide what we do next. */
export const ReplyCode = {
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
  notAllowed: 530,
  notImplemented: 540,
  internalError: 541,
} as const;

/** The AMQP reply code of an error of amqplib; undefined when it was not the broker that refused. */
export function replyCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}

/** The broker's own words, without what amqplib puts around them. */
export function replyText(error: unknown): string {
  const message = error instanceof Error ? error.message || reasonsOf(error) : String(error);
  const text = /with message "(.*)"$/s.exec(message)?.[1] ?? message;
  // RabbitMQ writes several lines where it has much to say.
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}

/** Node gathers the attempts with each address of a host, and has no words of its own. */
function reasonsOf(error: Error): string {
  const reasons = gatheredBy(error).map((one) => (one instanceof Error ? one.message : String(one)));
  return reasons.length > 0 ? reasons.join('; ') : error.name;
}
