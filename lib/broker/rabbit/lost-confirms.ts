import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import type { PendingMessage } from './pending-message.js';
import { culpritsOf, declaresItsExchange } from './publish-culprit.js';

interface SortedOut {
  /** To be published again, in order. */
  again: PendingMessage[];
  given: { pending: PendingMessage; reason: string; refused: boolean }[];
  /** What the channel was closed for is known, and will not close the next. */
  cured: boolean;
}

/**
 * What becomes of messages whose channel ended before they were confirmed. The broker takes them in
 * order: before the first culprit each may have been taken, after it none was.
 */
export function lostConfirms(
  unconfirmed: readonly PendingMessage[],
  error: Error | undefined,
  republish: boolean,
): SortedOut {
  const isCulprit = (error && culpritsOf(error)) ?? (() => false);
  const first = unconfirmed.findIndex(isCulprit);
  const sorted: SortedOut = { again: [], given: [], cured: first >= 0 };
  unconfirmed.forEach((pending, index) => {
    const untaken = first >= 0 && index >= first;
    const reason = untaken ? whyRefused(pending, error, isCulprit) : whyLost(pending, first >= 0, republish);
    if (reason !== undefined) sorted.given.push({ pending, reason, refused: untaken });
    else sorted.again.push(pending);
  });
  return sorted;
}

function whyRefused(
  pending: PendingMessage,
  error: Error | undefined,
  isCulprit: (pending: PendingMessage) => boolean,
): string | undefined {
  return isCulprit(pending) && !healsOnce(pending, error) ? replyText(error) : undefined;
}

/** A message that another one took the channel from loses no try by that. */
function whyLost(pending: PendingMessage, innocent: boolean, republish: boolean): string | undefined {
  pending.writtenBefore = true;
  if (!republish) return 'its confirm was lost with the connection';
  if (innocent || pending.mayTryAgain()) return undefined;
  return 'its confirm was lost with the connection, no tries left';
}

/** An auto-delete exchange goes with its last binding: declaring it once more heals that. */
function healsOnce(pending: PendingMessage, error: Error | undefined): boolean {
  if (replyCode(error) !== ReplyCode.notFound || pending.redeclared || !declaresItsExchange(pending)) return false;
  return (pending.redeclared = true);
}
