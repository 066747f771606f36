import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import type { PendingMessage } from './pending-message.js';

/** What the broker calls the exchange without a name where it speaks of permissions. */
const defaultExchange = 'amq.default';

/**
 * Which messages the broker closes the channel for with this error. It names no message, only in its text the
 * exchange, the topic or the size; all that are alike share the fate. Undefined: it cannot be told.
 */
export function culpritsOf(error: Error): ((pending: PendingMessage) => boolean) | undefined {
  const text = replyText(error);
  switch (replyCode(error)) {
    case ReplyCode.notFound:
    case ReplyCode.accessRefused: {
      const exchange = quoted(text, 'exchange');
      const topic = quoted(text, 'topic');
      if (exchange === undefined) return undefined;
      const name = exchange === defaultExchange ? '' : exchange;
      return ({ message }) => message.exchange === name && (topic === undefined || message.routingKey === topic);
    }
    case ReplyCode.preconditionFailed: {
      const largest = Number(/message size \d+ is larger than configured max size (\d+)/.exec(text)?.[1]);
      return Number.isNaN(largest) ? undefined : ({ content }) => content.length > largest;
    }
    default:
      return undefined;
  }
}

/** The exchange that the broker closes the channel for because there is none of that name. */
export function missingExchangeOf(error: Error | undefined): string | undefined {
  return replyCode(error) === ReplyCode.notFound ? quoted(replyText(error), 'exchange') : undefined;
}

/** Whether publishing it again declares its exchange first, which may heal a missing one. */
export function declaresItsExchange({ message }: PendingMessage): boolean {
  const { topology = [], exchange } = message;
  return topology.some((declaration) => declaration.kind === 'exchange' && declaration.name === exchange);
}

function quoted(text: string, kind: string): string | undefined {
  return new RegExp(`${kind} '([^']*)'`).exec(text)?.[1];
}
