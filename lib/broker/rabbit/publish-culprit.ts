import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import type { PendingMessage } from './pending-message.js';

/**
 * Which of the unconfirmed messages the broker closed the channel for. The error names no message,
 * only in its text the exchange or the size; -1: it cannot be told.
 */
export function culpritIndex(error: Error, unconfirmed: readonly PendingMessage[]): number {
  const text = replyText(error);
  switch (replyCode(error)) {
    case ReplyCode.notFound:
    case ReplyCode.accessRefused: {
      const exchange = /exchange '([^']*)'/.exec(text)?.[1];
      return unconfirmed.findIndex(({ message }) => message.exchange === exchange);
    }
    case ReplyCode.preconditionFailed: {
      const size = Number(/message size (\d+)/.exec(text)?.[1]);
      return unconfirmed.findIndex(({ content }) => content.length === size);
    }
    default:
      return -1;
  }
}

/** Whether publishing it again declares its exchange first, which may heal a missing one. */
export function declaresItsExchange({ message }: PendingMessage): boolean {
  const { topology = [], exchange } = message;
  return topology.some((declaration) => declaration.kind === 'exchange' && declaration.name === exchange);
}
