import type { OutgoingReply } from './outgoing-reply.js';

/** The records of one answer, beside its text. */
const OVERHEAD_BYTES = 1024;

/** A reply queue that is missing, with the answers that wait for it, oldest first. */
export interface MissingQueue {
  readonly name: string;
  /** On the clock of `performance.now()`. */
  readonly since: number;
  answers: OutgoingReply[];
  probes: number;
  timer: NodeJS.Timeout | undefined;
}

/** A holder that shares the room with others: one reply queue that has taken answers before, or all that never have. */
interface Holder {
  bytes: number;
  readonly queues: Set<MissingQueue>;
}

/**
 * Answers that wait for missing reply queues, within a budget of bytes. Where it is full, whoever has more than an
 * equal share gives way, its oldest answer first. Queues that never took an answer have one share in all: a peer
 * that names thousands, none of them there, pushes out its own answers, and not those of living callers.
 */
export class WaitingAnswers {
  private readonly missing = new Map<string, MissingQueue>();
  private readonly holders = new Map<string, Holder>();
  private readonly strangers: Holder = { bytes: 0, queues: new Set() };
  private bytes = 0;
  private count = 0;

  constructor(private readonly maxBytes: number) {}

  /** Of all queues. */
  get size(): number {
    return this.count;
  }

  get queues(): readonly MissingQueue[] {
    return [...this.missing.values()];
  }

  find(queue: string): MissingQueue | undefined {
    return this.missing.get(queue);
  }

  /** How many queues are probed at the expense of `queue`: of those that never took an answer, or of the others. */
  rivalsOf({ name }: MissingQueue): number {
    return this.holders.has(name) ? this.holders.size : this.strangers.queues.size;
  }

  /** Returns what has to give way, which may be `reply` itself. `isKnown`: its queue has taken answers before. */
  hold(reply: OutgoingReply, isKnown: boolean): OutgoingReply[] {
    const holder = this.holderOf(reply.replyQueue, isKnown);
    const bytes = bytesOf(reply);
    const pushedOut: OutgoingReply[] = [];
    while (this.bytes + bytes > this.maxBytes) {
      const oldest = this.takeOldest(this.whoGivesWay(holder, bytes));
      if (!oldest) return [...pushedOut, reply];
      pushedOut.push(oldest);
    }
    this.add(reply, holder, bytes);
    return pushedOut;
  }

  /** Takes out a queue with all that waits for it. */
  take(queue: MissingQueue): OutgoingReply[] {
    const taken = queue.answers;
    queue.answers = [];
    this.removed(queue, taken);
    return taken;
  }

  takeExpired(queue: MissingQueue, now: number): OutgoingReply[] {
    const expired = queue.answers.filter(({ giveUpAt }) => giveUpAt <= now);
    if (expired.length === 0) return expired;
    queue.answers = queue.answers.filter(({ giveUpAt }) => giveUpAt > now);
    this.removed(queue, expired);
    return expired;
  }

  private holderOf(queue: string, isKnown: boolean): Holder {
    const holder = this.holders.get(queue);
    if (holder) return holder;
    return isKnown && !this.missing.has(queue) ? { bytes: 0, queues: new Set() } : this.strangers;
  }

  private whoGivesWay(newcomer: Holder, bytes: number): Holder {
    const isNew = newcomer !== this.strangers && newcomer.queues.size === 0;
    const share = this.maxBytes / (this.holders.size + (isNew ? 2 : 1));
    if (newcomer.bytes + bytes > share) return newcomer;
    for (const holder of this.holders.values()) if (holder.bytes > share) return holder;
    return this.strangers;
  }

  private takeOldest({ queues }: Holder): OutgoingReply | undefined {
    const [queue] = queues;
    const oldest = queue?.answers.shift();
    if (queue && oldest) this.removed(queue, [oldest]);
    return oldest;
  }

  private add(reply: OutgoingReply, holder: Holder, bytes: number): void {
    const { replyQueue: name } = reply;
    let queue = this.missing.get(name);
    if (!queue) {
      queue = { name, since: performance.now(), answers: [], probes: 0, timer: undefined };
      this.missing.set(name, queue);
      holder.queues.add(queue);
      if (holder !== this.strangers) this.holders.set(name, holder);
    }
    queue.answers.push(reply);
    this.count += 1;
    this.bytes += bytes;
    holder.bytes += bytes;
  }

  /** A queue that nothing waits for any more is missed no longer. */
  private removed(queue: MissingQueue, answers: readonly OutgoingReply[]): void {
    const holder = this.holders.get(queue.name) ?? this.strangers;
    const bytes = answers.reduce((sum, answer) => sum + bytesOf(answer), 0);
    this.count -= answers.length;
    this.bytes -= bytes;
    holder.bytes -= bytes;
    if (queue.answers.length > 0) return;
    clearTimeout(queue.timer);
    this.missing.delete(queue.name);
    this.holders.delete(queue.name);
    holder.queues.delete(queue);
  }
}

/** Two bytes a character at most. */
function bytesOf({ body }: OutgoingReply): number {
  return OVERHEAD_BYTES + 2 * body.length;
}
