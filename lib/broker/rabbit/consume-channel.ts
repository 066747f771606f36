import type { Channel, ConsumeMessage } from 'amqplib';
import type { EventChannel } from '../../events/event-channel.js';
import { within } from '../../events/within.js';
import { tagged, written } from './verdict-frames.js';
import { AckLedger } from './ack-ledger.js';
import { answeredInTime, isAnswered, whileMoving } from './answered-in-time.js';
import { type BodyLimits, readBody, UnreadableBody } from './body-reader.js';
import { type HeldBudget, HeldMessages } from './held-messages.js';
import type { Line } from './line.js';
import { openedInTime } from './opened-in-time.js';
import { type DeliveryChannel, RabbitDelivery } from './rabbit-delivery.js';
import type { DeliverySource } from './silent-queues.js';
import { NoAnswer } from './spare-channel.js';

export interface ConsumeChannelObserver {
  onDeliveries(deliveries: readonly RabbitDelivery[]): void;
  /** The broker has cancelled the consumer: its queue was deleted or fails over. */
  consumerCancelled(channel: ConsumeChannel, queue: string): void;
  /** More is held than may be: what came above has gone back. */
  overfull(channel: ConsumeChannel): void;
  /** There is room again, after that. */
  roomy(channel: ConsumeChannel): void;
  /** `error`: the broker closed the channel and says why; else its connection is gone. */
  channelLost(channel: ConsumeChannel, error: Error | undefined): void;
}

export interface ConsumeLimits {
  readonly body: BodyLimits;
  readonly held: HeldBudget;
}

/** How long the broker's answer to a good-bye is waited for. */
const goodbyeMs = 1_000;

/** One channel with consumers, from its opening to its end: acks never leave it. */
export class ConsumeChannel implements DeliveryChannel, DeliverySource {
  private readonly ledger = new AckLedger();
  private readonly consumers = new Map<string, string>();
  /** Whose consumers the broker has agreed to. */
  private readonly answered = new Set<string>();
  private readonly counts = new Map<string, number>();
  private arrived: RabbitDelivery[] = [];
  private unsettled = 0;
  private readonly holding: HeldMessages;
  private prefetchCount = 0;
  private deliveries = 0;
  private alive = true;
  private leaving = false;
  private stuck = false;
  private lost = false;
  private flushing: NodeJS.Immediate | undefined;
  private error: Error | undefined;

  private constructor(
    readonly line: Line,
    private readonly channel: Channel,
    private readonly observer: ConsumeChannelObserver,
    private readonly events: EventChannel,
    private readonly limits: ConsumeLimits,
  ) {
    this.holding = new HeldMessages(limits.held, () => observer.roomy(this));
    channel.on('error', (error) => (this.error ??= error));
    channel.on('close', () => this.closed());
  }

  static async open(
    line: Line,
    observer: ConsumeChannelObserver,
    events: EventChannel,
    limits: ConsumeLimits,
  ): Promise<ConsumeChannel> {
    const channel = await openedInTime(line.model.createChannel(), line.patienceBehindDeliveries);
    return new ConsumeChannel(line, channel, observer, events, limits);
  }

  get isAlive(): boolean {
    return this.alive;
  }

  /** It has ended, and not by us. */
  get isLost(): boolean {
    return this.lost;
  }

  /** Waits for an answer, and hears nothing else. */
  get isStuck(): boolean {
    return this.stuck;
  }

  /** Takes nothing more until there is room. */
  get isFull(): boolean {
    return this.alive && this.holding.isFull;
  }

  get held(): number {
    return this.unsettled;
  }

  delivered(queue: string): number {
    return this.counts.get(queue) ?? 0;
  }

  isConsuming(queue: string): boolean {
    return this.alive && this.answered.has(queue) && this.consumers.has(queue);
  }

  /** The broker has agreed to consumers of them all, whatever became of those. */
  hasConsumed(queues: readonly string[]): boolean {
    return queues.every((queue) => this.answered.has(queue));
  }

  /**
   * @throws NoAnswer the channel serves nothing any more, until that comes
   */
  async prefetch(count: number): Promise<void> {
    this.prefetchCount = count;
    await this.inTime(this.channel.prefetch(count, false), 'prefetch', Infinity);
  }

  /** For consumers from now on: as many as fit, of those that were wanted. False: as many as before. */
  refit(wanted: number): boolean {
    const fitting = this.holding.fitting(wanted);
    if (!this.alive || fitting === this.prefetchCount) return false;
    // One that is not answered is noticed with the next consumer.
    this.prefetch(fitting).catch(() => undefined);
    return true;
  }

  /** Whether it takes less at a time than was wanted, though that would fit by now. */
  mayTakeMore(wanted: number): boolean {
    return this.prefetchCount !== wanted && !this.isFull && this.refit(wanted);
  }

  /** Whether the broker still serves this very channel; asked by what changes nothing for consumers that are there. */
  answers(): Promise<boolean> {
    return isAnswered(
      this.channel.prefetch(this.prefetchCount, false),
      whileMoving(() => this.deliveries, this.line.patience),
    );
  }

  /**
   * @throws NoAnswer the channel serves nothing any more, until that comes
   */
  async consume(queue: string, consumerTag: string, patienceMs: number): Promise<void> {
    this.consumers.set(queue, consumerTag);
    this.answered.delete(queue);
    const take = (message: ConsumeMessage | null): void => this.received(queue, message);
    const answer = this.channel.consume(queue, take, { consumerTag, noAck: false });
    try {
      await this.inTime(answer, `consume queue '${queue}'`, patienceMs);
      this.answered.add(queue);
    } catch (error) {
      this.consumers.delete(queue);
      throw error;
    }
  }

  private async inTime(answer: Promise<unknown>, what: string, patienceMs: number): Promise<void> {
    try {
      const patience = whileMoving(() => this.deliveries, this.line.patienceBehindDeliveries);
      const answerWithinMs = Math.min(patience.answerWithinMs, patienceMs);
      await answeredInTime(answer, { ...patience, answerWithinMs }, () => new NoAnswer(what));
    } catch (error) {
      this.stuck = error instanceof NoAnswer;
      throw error;
    }
  }

  /** Gives up one consumer that the broker has forgotten; cancelling it keeps its tag free whatever the broker knows. */
  async forget(queue: string): Promise<void> {
    const tag = this.consumers.get(queue);
    this.consumers.delete(queue);
    if (tag !== undefined) await this.channel.cancel(tag);
  }

  /** Resolves when nothing is delivered any more, in whatever way. */
  async cancel(): Promise<void> {
    const tags = [...this.consumers.values()];
    this.consumers.clear();
    await Promise.allSettled(tags.map((tag) => this.channel.cancel(tag)));
  }

  /** Gives back what has no verdict; nothing is reported any more. */
  async close(): Promise<void> {
    if (!this.alive || this.leaving) return;
    this.leaving = true;
    this.flush();
    this.arrived = [];
    this.alive = false;
    this.holding.giveAllBack();
    // amqplib waits for an answer that a connection which ends in between never gives.
    await within(goodbyeMs, this.sayGoodbye());
  }

  private async sayGoodbye(): Promise<void> {
    await this.channel.close();
  }

  ack(delivery: RabbitDelivery): boolean {
    if (!this.alive) return this.tooLate(delivery);
    if (!this.ledger.ack(delivery.deliveryTag)) return true;
    this.unsettled -= 1;
    this.holding.drop(delivery.deliveryTag);
    this.flushing ??= setImmediate(() => this.flush());
    return true;
  }

  reject(delivery: RabbitDelivery, requeue: boolean): boolean {
    if (!this.alive) return this.tooLate(delivery);
    this.rejectTag(delivery.deliveryTag, requeue);
    return true;
  }

  holds({ deliveryTag }: RabbitDelivery, bytes: number): void {
    if (this.alive && this.ledger.isHeld(deliveryTag)) this.holding.hold(deliveryTag, bytes);
  }

  flush(): void {
    clearImmediate(this.flushing);
    this.flushing = undefined;
    if (!this.alive) return;
    for (const { deliveryTag, multiple } of this.ledger.take()) {
      written(() => this.channel.ack(tagged(deliveryTag), multiple));
    }
  }

  private rejectTag(deliveryTag: number, requeue: boolean): void {
    this.flush();
    if (!this.ledger.reject(deliveryTag)) return;
    this.unsettled -= 1;
    if (requeue) this.holding.giveBack(deliveryTag);
    else this.holding.drop(deliveryTag);
    written(() => this.channel.reject(tagged(deliveryTag), requeue));
  }

  private received(queue: string, message: ConsumeMessage | null): void {
    if (message === null) {
      // Cancelled by us at the same time: that is what we want.
      if (this.consumers.delete(queue) && this.alive) this.observer.consumerCancelled(this, queue);
      return;
    }
    if (!this.alive) return;
    const { deliveryTag } = message.fields;
    if (!this.ledger.delivered(deliveryTag)) {
      return this.line.destroy(new Error(`a delivery came out of turn (${deliveryTag}): the line is damaged`));
    }
    this.unsettled += 1;
    this.deliveries += 1;
    this.counts.set(queue, this.delivered(queue) + 1);
    if (this.isTooMuch(message, queue)) return;
    const delivery = this.readable(queue, message);
    if (!delivery) return;
    this.holding.hold(deliveryTag, delivery.body.length);
    this.arrived.push(delivery);
    if (this.arrived.length === 1) process.nextTick(() => this.handOver());
  }

  /** It goes back, unread, while too much is held. */
  private isTooMuch({ fields, content }: ConsumeMessage, queue: string): boolean {
    const { isFull } = this.holding;
    if (!this.holding.refuses(content.length)) return false;
    if (!fields.redelivered) this.limits.held.noteReturned(markOf(queue, content));
    this.rejectTag(fields.deliveryTag, true);
    if (!isFull) this.observer.overfull(this);
    return true;
  }

  private readable(queue: string, message: ConsumeMessage): RabbitDelivery | undefined {
    try {
      const body = readBody(message.content, message.properties.headers ?? {}, this.limits.body);
      if (isHuge(message.content, body, this.limits.body)) this.requireHarmless(queue, message, body);
      return new RabbitDelivery(queue, message, body, performance.now(), this);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.rejectTag(message.fields.deliveryTag, false);
      const text = `A message of queue '${queue}' was rejected unread: ${reason}`;
      this.events.emit({ type: 'message-rejected', level: 'warn', message: text, queue, error });
      return undefined;
    }
  }

  /** What went back from this process, read or unread, has not ended it. */
  private requireHarmless(queue: string, { fields, content }: ConsumeMessage, body: Buffer): void {
    const mark = markOf(queue, content);
    if (fields.redelivered && !this.limits.held.wasReturned(mark)) {
      throw new UnreadableBody(`${body.length} bytes, delivered once more: it may have ended whoever had it before`);
    }
    this.holding.mark(fields.deliveryTag, mark);
  }

  private handOver(): void {
    const arrived = this.arrived;
    this.arrived = [];
    if (arrived.length > 0) this.observer.onDeliveries(arrived);
  }

  private closed(): void {
    if (!this.alive) return;
    this.alive = false;
    this.lost = true;
    clearImmediate(this.flushing);
    this.arrived = [];
    this.consumers.clear();
    this.holding.giveAllBack();
    this.observer.channelLost(this, this.error);
  }

  private tooLate(delivery: RabbitDelivery): false {
    if (!delivery.reportedLost) {
      delivery.reportedLost = true;
      const { queue } = delivery;
      const message = `Too late for an ack: the channel is gone, a message of queue '${queue}' will come again`;
      this.events.emit({ type: 'ack-lost', level: 'warn', message, queue });
    }
    return false;
  }
}

/** More than half of what may come. */
function isHuge(content: Buffer, body: Buffer, { maxMessageBytes, maxInflatedBytes }: BodyLimits): boolean {
  return content.length > maxMessageBytes / 2 || (body !== content && body.length > maxInflatedBytes / 2);
}

/** Recognises a message that comes again; ids are near its end. */
function markOf(queue: string, content: Buffer): string {
  const ends = [content.subarray(0, 64), content.subarray(-256)].map((part) => part.toString('latin1'));
  return [queue, content.length, ...ends].join(' ');
}
