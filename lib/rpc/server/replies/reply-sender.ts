import type { MessageBroker } from '../../../broker/broker.js';
import { MessageUndeliverable } from '../../../errors/delivery.errors.js';
import { MalformedMessage } from '../../../errors/wire.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { RecentIds } from '../../../wire/recent-ids.js';
import { shown } from '../../../wire/shown.js';
import type { OutgoingReply } from './outgoing-reply.js';
import { ReplyBacklog } from './reply-backlog.js';
import { UnprovenReplies } from './unproven-replies.js';
import { type MissingQueue, WaitingAnswers } from './waiting-answers.js';

/** As Python's reply retry; sooner at first, as most queues that are lost are back in a moment. */
const RETRY_INTERVAL_MS = 250;
const FIRST_RETRY_MS = 60;
/** As many names, for as long, as Python's cache of obsolete reply queues. */
const REMEMBERED_DEAD_QUEUES = 200;
const DEAD_QUEUE_LIFE_MS = 60_000;
/** So many reply queues that have taken answers are remembered, for an hour at least. */
const KNOWN_QUEUES = 10_000;
const KNOWN_QUEUE_LIFE_MS = 3_600_000;
/** Answers to missing reply queues, and those that may have been lost: shares of `maxInFlightBytes`. */
const WAITING_SHARE = 0.5;
const UNPROVEN_SHARE = 0.125;
/** So many queues are probed in an interval; of more, each less often: living callers share the connection with them. */
const PROBES_PER_INTERVAL = 256;
/** However many are missing: a queue that is coming back does so in a moment. */
const EARLY_PROBES = 2;

/**
 * Hands answers over, and goes on trying while a reply queue is missing, as a client that reconnects
 * declares it anew.
 *
 * Mirrors `_send_reply` of Python's incoming message, with its retry and its cache of obsolete reply
 * queues, except that no handler slot waits, that one probe per queue and interval is sent however many
 * answers wait for it, that it ends when the caller cannot be waiting any more, that an answer to an
 * obsolete queue is still tried once (a client that comes back has it under the same name), and that what may
 * have been lost with a queue is sent again.
 */
export class ReplySender {
  /** Tells whether answers leave. */
  readonly backlog: ReplyBacklog;
  private readonly waiting: WaitingAnswers;
  private readonly known = new RecentIds(KNOWN_QUEUE_LIFE_MS, KNOWN_QUEUES);
  private readonly deadUntil = new Map<string, number>();
  private readonly unproven: UnprovenReplies;
  private readonly whenIdle = new Set<() => void>();
  private state: 'closed' | 'open' = 'open';

  constructor(
    private readonly broker: MessageBroker,
    private readonly events: EventChannel,
  ) {
    const { maxInFlightBytes } = broker.options;
    this.backlog = new ReplyBacklog(broker);
    this.waiting = new WaitingAnswers(maxInFlightBytes * WAITING_SHARE);
    this.unproven = new UnprovenReplies(maxInFlightBytes * UNPROVEN_SHARE);
  }

  /** Never throws: what cannot be handed over is reported. */
  send(reply: OutgoingReply): void {
    if (this.waiting.find(reply.replyQueue)) this.hold(reply);
    else void this.sendNow(reply);
  }

  /** Resolves when every answer has been handed over or given up. */
  settled(): Promise<void> {
    return this.isIdle ? Promise.resolve() : new Promise((resolve) => void this.whenIdle.add(resolve));
  }

  /** Gives up what still waits for a missing queue, and waits for none from now on. */
  close(): void {
    this.state = 'closed';
    for (const queue of this.waiting.queues) this.dropAll(queue, 'the server stopped');
  }

  private async sendNow(reply: OutgoingReply): Promise<void> {
    this.backlog.add(reply);
    const failure = await this.publish(reply);
    this.backlog.remove(reply);
    if (failure instanceof MessageUndeliverable && this.state === 'open') this.queueMissing(reply);
    else if (failure) this.failed(reply, failure);
    // A later one has come back sooner.
    else if (this.waiting.find(reply.replyQueue)) this.holdSuspects(reply.replyQueue);
    this.wakeWhenIdle();
  }

  private queueMissing(reply: OutgoingReply): void {
    this.holdSuspects(reply.replyQueue);
    this.hold(reply);
  }

  private holdSuspects(replyQueue: string): void {
    for (const suspect of this.unproven.take(replyQueue, performance.now())) this.hold({ ...suspect, again: true });
  }

  private failed(reply: OutgoingReply, failure: Error): void {
    const { instead } = reply;
    if (instead && failure instanceof MalformedMessage) {
      this.send({ ...reply, body: instead(failure), instead: undefined });
    } else {
      this.drop(reply, shown(String(failure), 1000), failure);
    }
  }

  /** The reason that it was not taken: `MessageUndeliverable` when there is no such queue; anything else is final. */
  private async publish(reply: OutgoingReply): Promise<Error | undefined> {
    const { replyQueue: routingKey, body, giveUpAt } = reply;
    const sentAt = performance.now();
    const giveUpMs = Math.max(1, Math.ceil(giveUpAt - sentAt));
    try {
      await this.broker.publish({ exchange: '', routingKey, mandatory: true, purpose: 'owed', body, giveUpMs });
      this.unproven.confirmed(reply, sentAt, performance.now());
      this.deadUntil.delete(routingKey);
      this.known.add(routingKey);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  private hold(reply: OutgoingReply): void {
    const { replyQueue } = reply;
    if (this.isDead(replyQueue)) return this.drop(reply, 'its reply queue has been missing for long');
    const retryMs = this.broker.options.kombuMissingConsumerRetryTimeout * 1000;
    const bounded = { ...reply, giveUpAt: Math.min(reply.giveUpAt, performance.now() + retryMs) };
    for (const pushedOut of this.waiting.hold(bounded, this.known.has(replyQueue))) {
      this.drop(pushedOut, 'too many answers wait for missing reply queues');
    }
    const queue = this.waiting.find(replyQueue);
    if (queue && queue.timer === undefined) this.probeLater(queue);
  }

  private probeLater(queue: MissingQueue): void {
    const intervals = Math.ceil(this.waiting.rivalsOf(queue) / PROBES_PER_INTERVAL);
    const missedMs = performance.now() - queue.since;
    const isEarly = intervals <= 1 || queue.probes < EARLY_PROBES;
    const retryMs = Math.min(RETRY_INTERVAL_MS, Math.max(FIRST_RETRY_MS, missedMs));
    queue.probes += 1;
    queue.timer = setTimeout(() => void this.probe(queue), isEarly ? retryMs : RETRY_INTERVAL_MS * intervals);
  }

  /** Tries the oldest answer whose caller can still be waiting; when it is taken, the others follow. */
  private async probe(queue: MissingQueue): Promise<void> {
    for (const expired of this.waiting.takeExpired(queue, performance.now())) {
      this.drop(expired, 'its reply queue is missing');
    }
    const [first] = queue.answers;
    if (!first) return this.giveUpQueue(queue);
    const failure = await this.publish(first);
    // Given up meanwhile, and reported then.
    if (this.waiting.find(queue.name) !== queue) return;
    if (failure instanceof MessageUndeliverable) return this.probeLater(queue);
    if (failure) this.failed(first, failure);
    // The first may have given way to others meanwhile.
    for (const reply of this.waiting.take(queue)) if (reply !== first) this.send(reply);
    this.wakeWhenIdle();
  }

  /** A queue that was missed for less than the whole retry time may belong to a client that is reconnecting. */
  private giveUpQueue({ name, since }: MissingQueue): void {
    const missedMs = performance.now() - since;
    this.wakeWhenIdle();
    if (missedMs < this.broker.options.kombuMissingConsumerRetryTimeout * 1000) return;
    this.deadUntil.set(name, performance.now() + DEAD_QUEUE_LIFE_MS);
    if (this.deadUntil.size > REMEMBERED_DEAD_QUEUES) this.deadUntil.delete(this.deadUntil.keys().next().value!);
  }

  private isDead(queue: string): boolean {
    const until = this.deadUntil.get(queue);
    if (until === undefined || until > performance.now()) return until !== undefined;
    this.deadUntil.delete(queue);
    return false;
  }

  private dropAll(queue: MissingQueue, reason: string): void {
    for (const reply of this.waiting.take(queue)) this.drop(reply, reason);
    this.wakeWhenIdle();
  }

  private drop({ replyQueue, msgId, method, again }: OutgoingReply, reason: string, error?: unknown): void {
    if (again) return;
    const message = `The answer to ${shown(method)} was not delivered to ${shown(replyQueue)}: ${reason} (message ${shown(msgId)})`;
    this.events.emit({ type: 'reply-dropped', level: 'warn', message, replyQueue, msgId, error });
  }

  private get isIdle(): boolean {
    return this.backlog.isEmpty && this.waiting.size === 0;
  }

  private wakeWhenIdle(): void {
    if (!this.isIdle) return;
    for (const wake of this.whenIdle) wake();
    this.whenIdle.clear();
  }
}
