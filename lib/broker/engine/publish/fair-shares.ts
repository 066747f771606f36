import type { PendingMessage } from './pending-message.js';

/** The records of one message, beside its text of two bytes a character at most. */
const overheadBytes = 1_024;

/** Bytes that an answer takes of the room; requests have a budget of their own. */
export function weightOf({ message: { body, purpose } }: PendingMessage): number {
  return purpose === 'owed' ? overheadBytes + 2 * body.length : 0;
}

/** A queue that is awaited. */
export interface AwaitedQueue {
  readonly messages: ReadonlySet<PendingMessage>;
}

/** The part of one holder: a queue that has taken messages before, or all that never have. */
export class Share {
  bytes = 0;
  /** Those in which answers wait, in the order in which they came. */
  private readonly queues = new Set<AwaitedQueue>();

  constructor(private readonly room: { bytes: number; readonly holders: Set<Share> }) {}

  get size(): number {
    return this.queues.size;
  }

  get oldest(): PendingMessage | undefined {
    for (const { messages } of this.queues) for (const pending of messages) if (weightOf(pending) > 0) return pending;
    return undefined;
  }

  entered(queue: AwaitedQueue, weight: number): void {
    if (weight === 0) return;
    this.queues.add(queue);
    this.add(weight);
  }

  left(queue: AwaitedQueue, weight: number): void {
    if (weight === 0) return;
    if (queue.messages.size === 0) this.queues.delete(queue);
    this.add(-weight);
  }

  private add(bytes: number): void {
    this.bytes += bytes;
    this.room.bytes += bytes;
    if (this.bytes > 0) this.room.holders.add(this);
    else this.room.holders.delete(this);
  }
}

/**
 * Room for answers whose queues are missing. Where it is full, whoever has most of it gives way, its oldest answer first.
 * Queues that never took one have one share in all: a peer that names thousands, none of them there, pushes out its own
 * answers, and not those of living callers.
 */
export class FairShares {
  private readonly room = { bytes: 0, holders: new Set<Share>() };
  private readonly strangers = new Share(this.room);

  constructor(private readonly maxBytes: number) {}

  /** `isKnown`: the queue has taken messages before. */
  shareOf(isKnown: boolean): Share {
    return isKnown ? new Share(this.room) : this.strangers;
  }

  /** How many queues are looked for at the expense of one with this share. */
  rivalsOf(share: Share): number {
    return share === this.strangers ? share.size : this.room.holders.size;
  }

  /** False: the newcomer itself has to give way. `giveUp` takes the message out of its queue. */
  makeRoom(share: Share, weight: number, giveUp: (oldest: PendingMessage) => void): boolean {
    while (this.room.bytes + weight > this.maxBytes) {
      const { oldest } = this.largest(share, weight);
      if (!oldest) return false;
      giveUp(oldest);
    }
    return true;
  }

  /** The newcomer counts with what it brings. */
  private largest(newcomer: Share, weight: number): Share {
    let [largest, bytes] = [newcomer, newcomer.bytes + weight];
    for (const holder of this.room.holders) if (holder.bytes > bytes) [largest, bytes] = [holder, holder.bytes];
    return largest;
  }
}
