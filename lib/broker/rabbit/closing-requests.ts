import { ReplyCode, replyCode, replyText } from './amqp-reply.js';

/** The broker ends a connection with these over what was asked on it, but for other reasons too. */
const closingCodes: ReadonlySet<number | undefined> = new Set([
  ReplyCode.notAllowed,
  ReplyCode.notImplemented,
  ReplyCode.internalError,
]);
/** In words like these the broker says that it will not change its mind. */
const finalWords = /deprecated|not permitted|not allowed anymore|NOT_IMPLEMENTED/i;
/** So often in a row it may be passing trouble of the broker. */
const forgivenTimes = 2;
/** Asking again costs the connection again, and all that is under way on it. */
const rememberedMs = 30_000;

/**
 * Requests over which the broker closes the whole connection. RabbitMQ refuses so what it does not support, as 4.3 does
 * with queues that are neither durable nor exclusive. Such an end is a refusal where its words say so, or when the same
 * request is answered with it again and again.
 */
export class ClosingRequests {
  private readonly times = new Map<string, number>();

  private readonly refused = new Map<string, { text: string; until: number }>();

  answered(request: string): void {
    if (this.times.size > 0) this.times.delete(request);
  }

  /** The broker's words, where it has refused the request a moment ago. */
  recentRefusalOf(request: string): string | undefined {
    const refusal = this.refused.get(request);
    if (!refusal || refusal.until > performance.now()) return refusal?.text;
    this.refused.delete(request);
    return undefined;
  }

  /** The broker's words, if that is its answer to the request; `end`: why the connection has ended meanwhile. */
  refusalOf(request: string, end: Error | undefined): string | undefined {
    if (!end || !closingCodes.has(replyCode(end))) return undefined;
    const times = (this.times.get(request) ?? 0) + 1;
    this.times.set(request, times);
    const text = replyText(end);
    if (times <= forgivenTimes && !finalWords.test(text)) return undefined;
    this.refused.set(request, { text, until: performance.now() + rememberedMs });
    return text;
  }
}

/** Helps where the words alone do not. */
export function remedyFor(text: string): string {
  if (!text.includes('transient_nonexcl_queues')) return '';
  return (
    '. This broker refuses queues that are neither durable nor exclusive. Set rabbitQuorumQueue (rabbit_quorum_queue) or ' +
    'amqpDurableQueues (amqp_durable_queues) for topic, server and notification queues, and rabbitTransientQuorumQueue ' +
    '(rabbit_transient_quorum_queue) for reply and fanout queues; all services on this bus must agree'
  );
}
