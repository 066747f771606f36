import type { Broker } from '../broker/broker.js';
import { MessageUndeliverable } from '../errors/delivery.errors.js';
import { MalformedMessage } from '../errors/wire.errors.js';
import type { EventChannel } from '../events/event-channel.js';
import { shown } from '../wire/shown.js';
import type { OutgoingReply } from './outgoing-reply.js';
import { UnprovenReplies } from './unproven-replies.js';

/** As Python's reply retry; sooner at first, as most queues that are lost are back in a moment. */
const RETRY_INTERVAL_MS = 250;
const FIRST_RETRY_MS = 60;
/** As many names, for as long, as Python's cache of obsolete reply queues. */
const REMEMBERED_DEAD_QUEUES = 200;
const DEAD_QUEUE_LIFE_MS = 60_000;
/** Answers that may wait for missing reply queues, in all, and the characters in them. */
const MAX_WAITING = 10_000;
const MAX_WAITING_LENGTH = 64 * 1024 * 1024;
/** So many queues are probed in an interval; of more, each less often: living callers share the line with them. */
const PROBES_PER_INTERVAL = 256;

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
  private readonly missing = new Map<string, OutgoingReply[]>();
  private readonly missingSince = new Map<string, number>();
  private readonly probes = new Map<string, NodeJS.Timeout>();
  private readonly deadUntil = new Map<string, number>();
  private readonly unproven = new UnprovenReplies();
  private readonly whenIdle = new Set<() => void>();
  private sending = 0;
  private waiting = 0;
  private waitingLength = 0;
  private closed = false;

  constructor(
    private readonly broker: Broker,
    private readonly events: EventChannel,
  ) {}

  /** Never throws: what cannot be handed over is reported. */
  send(reply: OutgoingReply): void {
    if (this.missing.has(reply.replyQueue)) this.hold(reply);
    else void this.sendNow(reply);
  }

  /** Resolves when every answer has been handed over or given up. */
  settled(): Promise<void> {
    return this.isIdle ? Promise.resolve() : new Promise((resolve) => void this.whenIdle.add(resolve));
  }

  /** Gives up what still waits for a missing queue, and waits for none from now on. */
  close(): void {
    this.closed = true;
    for (const timer of this.probes.values()) clearTimeout(timer);
    for (const queue of [...this.missing.keys()]) this.dropAll(queue, 'the server stopped');
  }

  private async sendNow(reply: OutgoingReply): Promise<void> {
    this.sending += 1;
    const failure = await this.publish(reply);
    this.sending -= 1;
    if (failure instanceof MessageUndeliverable && !this.closed) this.queueMissing(reply);
    else if (failure) this.failed(reply, failure);
    // A later one has come back sooner.
    else if (this.missing.has(reply.replyQueue)) this.holdSuspects(reply.replyQueue);
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

  /** What kept it from being taken: `MessageUndeliverable` when there is no such queue; anything else is final. */
  private async publish(reply: OutgoingReply): Promise<Error | undefined> {
    const { replyQueue: routingKey, body, giveUpAt } = reply;
    const sentAt = performance.now();
    const giveUpMs = Math.max(1, Math.ceil(giveUpAt - sentAt));
    try {
      await this.broker.publish({ exchange: '', routingKey, mandatory: true, purpose: 'owed', body, giveUpMs });
      this.unproven.confirmed(reply, sentAt, performance.now());
      this.deadUntil.delete(routingKey);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  private hold(reply: OutgoingReply): void {
    if (this.isDead(reply.replyQueue)) return this.drop(reply, 'its reply queue has been missing for long');
    if (!this.hasRoomFor(reply)) return this.drop(reply, 'too many answers wait for missing reply queues');
    this.count([reply], 1);
    const held = this.missing.get(reply.replyQueue);
    const retryMs = this.broker.options.kombuMissingConsumerRetryTimeout * 1000;
    const bounded = { ...reply, giveUpAt: Math.min(reply.giveUpAt, performance.now() + retryMs) };
    if (held) return void held.push(bounded);
    this.missing.set(reply.replyQueue, [bounded]);
    this.missingSince.set(reply.replyQueue, performance.now());
    this.probeLater(reply.replyQueue);
  }

  private hasRoomFor({ body }: OutgoingReply): boolean {
    return this.waiting < MAX_WAITING && this.waitingLength + body.length <= MAX_WAITING_LENGTH;
  }

  private count(replies: readonly OutgoingReply[], sign: -1 | 1): void {
    this.waiting += sign * replies.length;
    for (const { body } of replies) this.waitingLength += sign * body.length;
  }

  private probeLater(queue: string): void {
    const intervals = Math.ceil(this.missing.size / PROBES_PER_INTERVAL);
    const missedMs = performance.now() - (this.missingSince.get(queue) ?? 0);
    const retryMs = Math.min(RETRY_INTERVAL_MS, Math.max(FIRST_RETRY_MS, missedMs));
    const timer = setTimeout(() => void this.probe(queue), intervals > 1 ? RETRY_INTERVAL_MS * intervals : retryMs);
    this.probes.set(queue, timer);
  }

  /** Tries the oldest answer whose caller can still be waiting; when it is taken, the others follow. */
  private async probe(queue: string): Promise<void> {
    this.dropExpired(queue);
    const first = this.missing.get(queue)?.[0];
    if (!first) return this.giveUpQueue(queue);
    const failure = await this.publish(first);
    // Given up meanwhile, and reported then.
    if (!this.missing.has(queue)) return;
    if (failure instanceof MessageUndeliverable) return this.probeLater(queue);
    if (failure) this.failed(first, failure);
    this.sendOthers(queue);
  }

  private sendOthers(queue: string): void {
    const [, ...others] = this.take(queue);
    for (const reply of others) this.send(reply);
    this.wakeWhenIdle();
  }

  private take(queue: string): OutgoingReply[] {
    const held = this.missing.get(queue) ?? [];
    this.missing.delete(queue);
    this.missingSince.delete(queue);
    this.probes.delete(queue);
    this.count(held, -1);
    return held;
  }

  private dropExpired(queue: string): void {
    const held = this.missing.get(queue) ?? [];
    const now = performance.now();
    const expired = held.filter((reply) => reply.giveUpAt <= now);
    if (expired.length === 0) return;
    this.missing.set(
      queue,
      held.filter((reply) => reply.giveUpAt > now),
    );
    this.count(expired, -1);
    for (const reply of expired) this.drop(reply, 'its reply queue is missing');
  }

  /** A queue that was missed for less than the whole retry time may belong to a client that is reconnecting. */
  private giveUpQueue(queue: string): void {
    const missedMs = performance.now() - (this.missingSince.get(queue) ?? performance.now());
    this.take(queue);
    this.wakeWhenIdle();
    if (missedMs < this.broker.options.kombuMissingConsumerRetryTimeout * 1000) return;
    this.deadUntil.set(queue, performance.now() + DEAD_QUEUE_LIFE_MS);
    if (this.deadUntil.size > REMEMBERED_DEAD_QUEUES) this.deadUntil.delete(this.deadUntil.keys().next().value!);
  }

  private isDead(queue: string): boolean {
    const until = this.deadUntil.get(queue);
    if (until === undefined || until > performance.now()) return until !== undefined;
    this.deadUntil.delete(queue);
    return false;
  }

  private dropAll(queue: string, reason: string): void {
    for (const reply of this.take(queue)) this.drop(reply, reason);
    this.wakeWhenIdle();
  }

  private drop({ replyQueue, msgId, method, again }: OutgoingReply, reason: string, error?: unknown): void {
    if (again) return;
    const message = `The answer to ${shown(method)} was not delivered to ${shown(replyQueue)}: ${reason} (message ${shown(msgId)})`;
    this.events.emit({ type: 'reply-dropped', level: 'warn', message, replyQueue, msgId, error });
  }

  private get isIdle(): boolean {
    return this.sending === 0 && this.waiting === 0;
  }

  private wakeWhenIdle(): void {
    if (!this.isIdle) return;
    for (const wake of this.whenIdle) wake();
    this.whenIdle.clear();
  }
}
