import { BrokerRefusal, type LinkMessage, ReplyCode } from './link.js';

// RabbitMQ tells much in its texts alone, which both links speak: the exchange, the topic, the size, the reason.

/** RabbitMQ's name for the exchange without a name, in texts about permissions. */
const defaultExchange = 'amq.default';

export type IsRefused = (message: Pick<LinkMessage, 'body' | 'exchange' | 'routingKey'>) => boolean;

/** Which messages the broker closes the channel for with this refusal: all that are alike. Undefined: it cannot be told. */
export function refusedMessages({ code, text }: BrokerRefusal): IsRefused | undefined {
  switch (code) {
    case ReplyCode.notFound:
    case ReplyCode.accessRefused: {
      const exchange = quoted(text, 'exchange');
      const topic = quoted(text, 'topic');
      if (exchange === undefined) return undefined;
      const name = exchange === defaultExchange ? '' : exchange;
      return (message) => message.exchange === name && (topic === undefined || message.routingKey === topic);
    }
    case ReplyCode.preconditionFailed: {
      const largest = Number(/message size \d+ is larger than configured max size (\d+)/.exec(text)?.[1]);
      return Number.isNaN(largest) ? undefined : ({ body }) => Buffer.byteLength(body) > largest;
    }
    default:
      return undefined;
  }
}

/** The exchange that the broker closes the channel for because there is none of that name. */
export function missingExchangeOf(refusal: BrokerRefusal | undefined): string | undefined {
  return refusal?.code === ReplyCode.notFound ? quoted(refusal.text, 'exchange') : undefined;
}

function quoted(text: string, kind: string): string | undefined {
  return new RegExp(`${kind} '([^']*)'`).exec(text)?.[1];
}

/** Somebody else consumes the queue, or has made it, exclusively; a missing permission is not about its name. */
export function isHeldByOthers(error: unknown): boolean {
  const reason = error instanceof Error && !(error instanceof BrokerRefusal) ? error.cause : error;
  if (isRefusal(reason, ReplyCode.resourceLocked)) return true;
  return isRefusal(reason, ReplyCode.accessRefused) && !isRefusal(reason, ReplyCode.accessRefused, 'refused for user');
}

/** Something is durable that is declared otherwise, or the other way round. */
export function isInequivalentDurable(error: unknown): boolean {
  return isRefusal(error, ReplyCode.preconditionFailed, "inequivalent arg 'durable'");
}

/** A queue that was declared while its virtual host was being deleted stays behind without a process, for ever. */
export function isStopped(error: unknown): boolean {
  return isRefusal(error, ReplyCode.notFound, 'process is stopped');
}

/** What the broker says of something that exists with other properties than it was declared with. */
export interface Inequivalence {
  readonly kind: string;
  readonly name: string;
  /** `durable`, `type`, `x-expires`. */
  readonly property: string;
  /** As the broker writes them. */
  readonly ours: string;
  readonly theirs: string;
}

/** Undefined: the text speaks of something else. */
export function inequivalenceIn(text: string): Inequivalence | undefined {
  const parts =
    /inequivalent arg '([^']*)' for (\w+) '(.*?)' in vhost '.*?': received (.*?) but current is (.*?)[\s"]*$/s.exec(
      text,
    );
  if (!parts) return undefined;
  const [, property = '', kind = '', name = '', ours = '', theirs = ''] = parts;
  return { kind, name, property, ours, theirs };
}

function isRefusal(error: unknown, code: number, words = ''): boolean {
  return error instanceof BrokerRefusal && error.code === code && error.text.includes(words);
}

/** True for words in which the broker says that it will not change its mind. */
export function isFinal(text: string): boolean {
  return /deprecated|not permitted|not allowed anymore|NOT_IMPLEMENTED/i.test(text);
}

/** Helps where the words alone do not. */
export function remedyFor(text: string): string {
  if (!text.includes('transient_nonexcl_queues')) return '';
  return (
    `${text.endsWith('.') ? '' : '.'} This broker refuses queues that are neither durable nor exclusive. Set rabbitQuorumQueue (rabbit_quorum_queue) or ` +
    'amqpDurableQueues (amqp_durable_queues) for topic, server and notification queues, and rabbitTransientQuorumQueue ' +
    '(rabbit_transient_quorum_queue) for reply and fanout queues; all services on this bus must agree'
  );
}
