import { BrokerRefusal, ReplyCode } from '../../link.js';
import { replyText } from '../connection/reply-codes.js';
import type { PendingMessage } from './pending-message.js';

/** RabbitMQ's name for the exchange without a name, in texts about permissions. */
const defaultExchange = 'amq.default';
/** Each message that the user may not publish costs a channel, and the unconfirmed ones of others on it are published twice. */
const rememberedMs = 1_000;

type IsOffending = (pending: PendingMessage) => boolean;

/**
 * Which messages the broker closes the channel for with this refusal. It names no message, only in its text the
 * exchange, the topic or the size; all that are alike share the fate. Undefined: it cannot be told.
 */
function offendingMessages({ code, text }: BrokerRefusal): IsOffending | undefined {
  switch (code) {
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
      return Number.isNaN(largest) ? undefined : ({ message }) => Buffer.byteLength(message.body) > largest;
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
  const isOffending = (refusal && offendingMessages(refusal)) ?? (() => false);
  const first = unconfirmed.findIndex(isOffending);
  const last = unconfirmed.findLastIndex(isOffending);
  const closedBy = first === last || refusal?.code === ReplyCode.preconditionFailed ? first : last + 1;
  const sorted: LostConfirms = { again: [], failed: [], cured: first >= 0 };
  unconfirmed.forEach((pending, index) => {
    const refused = isOffending(pending);
    const arrivedNowhere = first >= 0 && index >= closedBy;
    if (!arrivedNowhere) pending.writtenBefore = true;
    const reason = refused
      ? whyRefused(pending, refusal!, arrivedNowhere || republish)
      : whyLost(pending, { arrivedNowhere, innocent: first >= 0, republish });
    if (reason !== undefined) sorted.failed.push({ pending, reason, refused });
    else sorted.again.push(pending);
  });
  return sorted;
}

function whyRefused(pending: PendingMessage, refusal: BrokerRefusal, mayGoAgain: boolean): string | undefined {
  return mayGoAgain && redeclaresOnce(pending, refusal) ? undefined : replyText(refusal);
}

interface Loss {
  arrivedNowhere: boolean;
  /** Another one took the channel from it. */
  innocent: boolean;
  republish: boolean;
}

function whyLost(pending: PendingMessage, { arrivedNowhere, innocent, republish }: Loss): string | undefined {
  if (arrivedNowhere) return undefined;
  if (!republish) return 'its confirm was lost with the connection';
  if (innocent || pending.mayTryAgain()) return undefined;
  return 'its confirm was lost with the connection, no tries left';
}

/** An auto-delete exchange goes with its last binding: declaring it once more heals that. */
function redeclaresOnce(pending: PendingMessage, { code }: BrokerRefusal): boolean {
  const { topology = [], exchange } = pending.message;
  if (code !== ReplyCode.notFound || pending.redeclared) return false;
  if (!topology.some((declaration) => declaration.kind === 'exchange' && declaration.name === exchange)) return false;
  return (pending.redeclared = true);
}

interface RecentRefusal {
  until: number;
  reason: string;
  isOffending: IsOffending;
}

/** Messages that the user was not permitted to publish, remembered for a moment. */
export class RecentRefusals {
  private refusals: RecentRefusal[] = [];

  note(refusal: BrokerRefusal | undefined): void {
    const isOffending = refusal?.code === ReplyCode.accessRefused ? offendingMessages(refusal) : undefined;
    if (!isOffending) return;
    this.refusals.push({ until: performance.now() + rememberedMs, reason: replyText(refusal), isOffending });
  }

  /** Why the broker would refuse it. */
  reasonFor(pending: PendingMessage): string | undefined {
    if (this.refusals.length === 0) return undefined;
    const now = performance.now();
    this.refusals = this.refusals.filter(({ until }) => until > now);
    return this.refusals.find(({ isOffending }) => isOffending(pending))?.reason;
  }
}
