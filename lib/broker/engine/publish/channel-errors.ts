import { type BrokerRefusal, ReplyCode } from '../../link.js';
import { type IsRefused, refusedMessages } from '../../refusal-words.js';
import { replyText } from '../connection/reply-codes.js';
import type { PendingMessage } from './pending-message.js';

/** Each message that the user may not publish costs a channel, and the unconfirmed ones of others on it are published twice. */
const rememberedMs = 1_000;

/** The fate of the messages of a channel that has ended. */
export interface LostConfirms {
  /** To be published again, in order. */
  again: PendingMessage[];
  failed: { pending: PendingMessage; reason: string; refused: boolean }[];
  /** The offending messages are known, and will not close the next channel. */
  cured: boolean;
}

/**
 * Sorts out the messages whose channel ended before they were confirmed, in the order in which they were written. The
 * broker takes them in that order: before the one that it closed the channel for each may have arrived, after it none did.
 * Of several that are alike any may have been that one, as permissions and exchanges change; but of those that are too
 * large the first. Innocent ones pay nothing: no try.
 */
export function sortOutLostConfirms(
  unconfirmed: readonly PendingMessage[],
  refusal: BrokerRefusal | undefined,
  republish: boolean,
): LostConfirms {
  const isOffending = (refusal && refusedMessages(refusal)) ?? (() => false);
  const first = unconfirmed.findIndex(({ message }) => isOffending(message));
  const last = unconfirmed.findLastIndex(({ message }) => isOffending(message));
  const closedBy = first === last || refusal?.code === ReplyCode.preconditionFailed ? first : last + 1;
  const sorted: LostConfirms = { again: [], failed: [], cured: first >= 0 };
  const whyNot = (pending: PendingMessage, refused: boolean, arrivedNowhere: boolean): string | undefined => {
    if (refused)
      return (arrivedNowhere || republish) && useRedeclaration(pending, refusal!) ? undefined : replyText(refusal);
    if (arrivedNowhere) return undefined;
    const lost = 'its confirm was lost with the connection';
    if (!republish) return lost;
    // Where another one took the channel from it, it has not used up a try.
    return sorted.cured || pending.useTry() ? undefined : `${lost}, no tries left`;
  };
  unconfirmed.forEach((pending, index) => {
    const refused = isOffending(pending.message);
    const arrivedNowhere = first >= 0 && index >= closedBy;
    if (!arrivedNowhere) pending.writtenBefore = true;
    const reason = whyNot(pending, refused, arrivedNowhere);
    if (reason !== undefined) sorted.failed.push({ pending, reason, refused });
    else sorted.again.push(pending);
  });
  return sorted;
}

/** An auto-delete exchange goes with its last binding: declaring it once more heals that. False: it did not, or it is something else. */
function useRedeclaration(pending: PendingMessage, { code }: BrokerRefusal): boolean {
  const { topology = [], exchange } = pending.message;
  if (code !== ReplyCode.notFound || pending.redeclared) return false;
  if (!topology.some((declaration) => declaration.kind === 'exchange' && declaration.name === exchange)) return false;
  return (pending.redeclared = true);
}

interface RecentRefusal {
  until: number;
  refusal: BrokerRefusal;
  isOffending: IsRefused;
}

/** Messages that the user was not permitted to publish, remembered for a moment. */
export class RecentRefusals {
  private refusals: RecentRefusal[] = [];

  note(refusal: BrokerRefusal | undefined): void {
    const isOffending = refusal?.code === ReplyCode.accessRefused ? refusedMessages(refusal) : undefined;
    if (!refusal || !isOffending) return;
    this.refusals.push({ until: performance.now() + rememberedMs, refusal, isOffending });
  }

  /** Why the broker would refuse it. */
  refusalOf(pending: PendingMessage): BrokerRefusal | undefined {
    if (this.refusals.length === 0) return undefined;
    const now = performance.now();
    this.refusals = this.refusals.filter(({ until }) => until > now);
    return this.refusals.find(({ isOffending }) => isOffending(pending.message))?.refusal;
  }
}
