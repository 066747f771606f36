import { gatheredBy } from '../../../errors/text-of.js';
import { BrokerRefusal } from '../../link.js';

/** The AMQP reply code; undefined when it was not the broker that refused. */
export function replyCode(error: unknown): number | undefined {
  return error instanceof BrokerRefusal ? error.code : undefined;
}

/** The broker's own words, or those of whatever else went wrong. */
export function replyText(error: unknown): string {
  const message = error instanceof Error ? error.message || reasonsOf(error) : String(error);
  return message.replace(/\s*[\r\n]+\s*/g, ' ');
}

/** Node gathers the attempts with each address of a host, and has no words of its own. */
function reasonsOf(error: Error): string {
  const reasons = gatheredBy(error).map((one) => (one instanceof Error ? one.message : String(one)));
  return reasons.length > 0 ? reasons.join('; ') : error.name;
}
