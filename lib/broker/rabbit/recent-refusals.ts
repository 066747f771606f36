import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import type { PendingMessage } from './pending-message.js';
import { culpritsOf } from './publish-culprit.js';

const rememberedMs = 1_000;

interface Refusal {
  until: number;
  reason: string;
  covers(pending: PendingMessage): boolean;
}

/**
 * What the user was not permitted to publish, for a moment: each such message costs a channel, and the unconfirmed
 * messages of others on it are published twice.
 */
export class RecentRefusals {
  private refusals: Refusal[] = [];

  channelLost(error: Error | undefined): void {
    if (!error || replyCode(error) !== ReplyCode.accessRefused) return;
    const covers = culpritsOf(error);
    if (covers) this.refusals.push({ until: performance.now() + rememberedMs, reason: replyText(error), covers });
  }

  /** Why the broker would refuse it. */
  reasonFor(pending: PendingMessage): string | undefined {
    if (this.refusals.length === 0) return undefined;
    const now = performance.now();
    this.refusals = this.refusals.filter(({ until }) => until > now);
    return this.refusals.find(({ covers }) => covers(pending))?.reason;
  }
}
