import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import type { PendingMessage } from './pending-message.js';
import { culpritIndex, declaresItsExchange } from './publish-culprit.js';

interface SortedOut {
  /** To be published again, in order. */
  again: PendingMessage[];
  given: { pending: PendingMessage; reason: string }[];
}

/**
 * What becomes of messages whose channel ended before they were confirmed. The broker takes them in
 * order: before the culprit each may have been taken, after it none was.
 */
export function lostConfirms(
  unconfirmed: readonly PendingMessage[],
  error: Error | undefined,
  republish: boolean,
): SortedOut {
  const sorted: SortedOut = { again: [], given: [] };
  const culprit = error ? culpritIndex(error, unconfirmed) : -1;
  const exchange = unconfirmed[culprit]?.message.exchange;
  unconfirmed.forEach((pending, index) => {
    const reason = whyGivenUp(pending, { error, republish, culprit, index, exchange });
    if (reason !== undefined) sorted.given.push({ pending, reason });
    else sorted.again.push(pending);
  });
  return sorted;
}

interface Circumstances {
  error: Error | undefined;
  republish: boolean;
  culprit: number;
  index: number;
  exchange: string | undefined;
}

function whyGivenUp(pending: PendingMessage, facts: Circumstances): string | undefined {
  const { error, republish, culprit, index, exchange } = facts;
  if (culprit >= 0 && index >= culprit) {
    const refused = index === culprit || isMissing(error, pending, exchange);
    return refused && !healsOnce(pending, error) ? replyText(error) : undefined;
  }
  pending.writtenBefore = true;
  if (!republish) return 'its confirm was lost with the connection';
  if (culprit >= 0 || pending.mayTryAgain()) return undefined;
  return 'its confirm was lost with the connection, no tries left';
}

/** The same fate awaits all that name a missing exchange: one channel less each. */
function isMissing(error: Error | undefined, pending: PendingMessage, exchange: string | undefined): boolean {
  return isNotFound(error) && pending.message.exchange === exchange;
}

/** An auto-delete exchange goes with its last binding: declaring it once more heals that. */
function healsOnce(pending: PendingMessage, error: Error | undefined): boolean {
  if (!isNotFound(error) || pending.redeclared || !declaresItsExchange(pending)) return false;
  return (pending.redeclared = true);
}

function isNotFound(error: Error | undefined): boolean {
  return replyCode(error) === ReplyCode.notFound;
}
