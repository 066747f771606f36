import type { OutgoingReply } from './outgoing-reply.js';

/** A caller that asks more rarely has nothing kept for it. */
const KEPT_MS = 5_000;
/** The records of one answer, beside its text of two bytes a character at most. */
const OVERHEAD_BYTES = 1024;

interface Unproven {
  readonly reply: OutgoingReply;
  readonly confirmedAt: number;
}

/**
 * Answers that the broker has confirmed and may have lost all the same: what a queue that is being deleted has not
 * taken yet, RabbitMQ confirms when the queue is gone. Once it is gone every later answer is returned; so one that was
 * published after a confirm, and was taken, proves what was confirmed.
 */
export class UnprovenReplies {
  /** In the order of their confirms, as are those of each queue. */
  private readonly all = new Set<Unproven>();
  private readonly byQueue = new Map<string, Set<Unproven>>();
  private keptBytes = 0;

  constructor(private readonly maxBytes: number) {}

  /** A reply was confirmed; `sentAt` and `confirmedAt` on one clock, in milliseconds. */
  confirmed(reply: OutgoingReply, sentAt: number, confirmedAt: number): void {
    for (const earlier of this.byQueue.get(reply.replyQueue) ?? []) {
      if (earlier.confirmedAt >= sentAt) break;
      this.forget(earlier);
    }
    this.keep({ reply, confirmedAt });
    for (const oldest of this.all) {
      if (oldest.confirmedAt >= confirmedAt - KEPT_MS && this.keptBytes <= this.maxBytes) break;
      this.forget(oldest);
    }
  }

  /** The queue is gone: takes out what may have been lost with it. */
  take(replyQueue: string, now: number): OutgoingReply[] {
    const unproven = [...(this.byQueue.get(replyQueue) ?? [])];
    for (const one of unproven) this.forget(one);
    return unproven.flatMap(({ reply, confirmedAt }) => (confirmedAt >= now - KEPT_MS ? [reply] : []));
  }

  private keep(unproven: Unproven): void {
    const { replyQueue, body } = unproven.reply;
    const ofQueue = this.byQueue.get(replyQueue);
    if (ofQueue) ofQueue.add(unproven);
    else this.byQueue.set(replyQueue, new Set([unproven]));
    this.all.add(unproven);
    this.keptBytes += OVERHEAD_BYTES + 2 * body.length;
  }

  private forget(unproven: Unproven): void {
    const { replyQueue, body } = unproven.reply;
    const ofQueue = this.byQueue.get(replyQueue);
    ofQueue?.delete(unproven);
    if (ofQueue?.size === 0) this.byQueue.delete(replyQueue);
    this.all.delete(unproven);
    this.keptBytes -= OVERHEAD_BYTES + 2 * body.length;
  }
}
