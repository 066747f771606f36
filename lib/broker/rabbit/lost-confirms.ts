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
 * What becomes of messages whose channel ended before they were confirmed. The broker takes them in order: before the
 * one that it closed the channel for each may have been taken, after it none was. Of several that are alike any may
 * have been that one, as permissions and exchanges change; but of those that are too large the first.
 */
export function lostConfirms(
  unconfirmed: readonly PendingMessage[],
  error: Error | undefined,
  republish: boolean,
): SortedOut {
  const isCulprit = (error && culpritsOf(error)) ?? (() => false);
  const first = unconfirmed.findIndex(isCulprit);
  const last = unconfirmed.findLastIndex(isCulprit);
  const cause = first === last || replyCode(error) === ReplyCode.preconditionFailed ? first : last + 1;
  const sorted: SortedOut = { again: [], given: [], cured: first >= 0 };
  unconfirmed.forEach((pending, index) => {
    const refused = isCulprit(pending);
    const untaken = first >= 0 && index >= cause;
    if (!untaken) pending.writtenBefore = true;
    const reason = refused
      ? whyRefused(pending, error, untaken || republish)
      : whyLost(pending, { untaken, innocent: first >= 0, republish });
    if (reason !== undefined) sorted.given.push({ pending, reason, refused });
    else sorted.again.push(pending);
  });
  return sorted;
}

function whyRefused(pending: PendingMessage, error: Error | undefined, mayGoAgain: boolean): string | undefined {
  return mayGoAgain && healsOnce(pending, error) ? undefined : replyText(error);
}

interface Loss {
  untaken: boolean;
  /** Another one took the channel from it, which costs it no try. */
  innocent: boolean;
  republish: boolean;
}

function whyLost(pending: PendingMessage, { untaken, innocent, republish }: Loss): string | undefined {
  if (untaken) return undefined;
  if (!republish) return 'its confirm was lost with the connection';
  if (innocent || pending.mayTryAgain()) return undefined;
  return 'its confirm was lost with the connection, no tries left';
}

/** An auto-delete exchange goes with its last binding: declaring it once more heals that. */
function healsOnce(pending: PendingMessage, error: Error | undefined): boolean {
  if (replyCode(error) !== ReplyCode.notFound || pending.redeclared || !declaresItsExchange(pending)) return false;
  return (pending.redeclared = true);
}
