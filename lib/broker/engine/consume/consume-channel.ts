import type { EventChannel } from '../../../events/event-channel.js';
import { within } from '../../../events/within.js';
import type { BodyLimits } from '../../bounds/body-reader.js';
import { type HeldBudget, HeldMessages } from '../../bounds/held-messages.js';
import type { BrokerRefusal, ChannelObserver, LinkChannel, LinkDelivery, StreamOffset } from '../../link.js';
import { answerWithin, isAnswered, NoAnswer, openWithin, whileMoving } from '../connection/broker-request.js';
import type { Session } from '../connection/session.js';
import { State, type Transitions } from '../state.js';
import { AckLedger } from './ack-ledger.js';
import type { StreamOffsets } from './stream-offsets.js';
import { type DeliveryChannel, ReceivedMessage } from './delivery.js';

export interface ConsumeChannelObserver {
  onDeliveries(deliveries: readonly ReceivedMessage[]): void;
  /** The broker has cancelled the consumer: its queue was deleted or fails over. */
  consumerCancelled(channel: ConsumeChannel, queue: string): void;
  /** More is held than may be: what came above has gone back. */
  overfull(channel: ConsumeChannel): void;
  /** There is room again, after that. */
  roomy(channel: ConsumeChannel): void;
  /** `refusal`: the broker closed the channel and says why; else its connection is gone. */
  channelLost(channel: ConsumeChannel, refusal: BrokerRefusal | undefined): void;
}

export interface ConsumeLimits {
  readonly body: BodyLimits;
  readonly held: HeldBudget;
  readonly streams?: StreamOffsets;
  /** Acknowledgements are no hurry: nobody waits for the next message because of them. */
  readonly acksMayWait?: boolean;
}

/** So long, or until there are so many. */
const acksWaitMs = 20;
const acksTogether = 64;

/** How long the broker's answer to a good-bye is waited for. */
const goodbyeMs = 1_000;

/** `stuck`: waits for an answer, and hears nothing else. `left`: ended by us; `lost`: not by us. */
type ChannelState = { readonly name: 'left' | 'lost' | 'open' | 'stuck' };

const following: Transitions<ChannelState['name']> = {
  open: ['stuck', 'left', 'lost'],
  stuck: ['left', 'lost'],
  left: [],
  lost: [],
};

/** One channel with consumers, from its opening to its end: acks never leave it. */
export class ConsumeChannel implements ChannelObserver, DeliveryChannel {
  private channel!: LinkChannel;
  private readonly state = new State<ChannelState>('consume channel', following, { name: 'open' });
  private readonly ledger = new AckLedger();
  /** Queues by consumer tag, of consumers that have ended as well: what was on its way still comes. */
  private readonly queues = new Map<string, string>();
  /** The tags of those that have not ended. */
  private readonly consumers = new Set<string>();
  /** Whose consumers the broker has agreed to. */
  private readonly answered = new Set<string>();
  private readonly counts = new Map<string, number>();
  private readonly holding: HeldMessages;
  /** Of streams, what was settled last. */
  private readonly offsets = new Map<string, number>();
  private arrived: ReceivedMessage[] = [];
  private prefetchCount = 0;
  /** When gathered acks are written; `soon`: when the deliveries of this turn have been handed over. */
  private flushing: NodeJS.Immediate | NodeJS.Timeout | 'soon' | undefined;

  private constructor(
    readonly session: Session,
    private readonly observer: ConsumeChannelObserver,
    private readonly events: EventChannel,
    private readonly limits: ConsumeLimits,
  ) {
    this.holding = new HeldMessages(limits.held, () => observer.roomy(this));
  }

  static async open(
    session: Session,
    observer: ConsumeChannelObserver,
    events: EventChannel,
    limits: ConsumeLimits,
  ): Promise<ConsumeChannel> {
    const opened = new ConsumeChannel(session, observer, events, limits);
    opened.channel = await openWithin(session.timeoutBehindDeliveries, session.link, opened);
    return opened;
  }

  get isAlive(): boolean {
    return this.state.name === 'open' || this.isStuck;
  }

  get isStuck(): boolean {
    return this.state.name === 'stuck';
  }

  /** Takes nothing more until there is room. */
  get isFull(): boolean {
    return this.isAlive && this.holding.isFull;
  }

  /** Deliveries that are not settled: as many as the prefetch allows are a reason for silence. */
  get held(): number {
    return this.ledger.heldCount;
  }

  /** How many have come from a queue so far. */
  deliveredFrom(queue: string): number {
    return this.counts.get(queue) ?? 0;
  }

  isConsuming(queue: string): boolean {
    return this.isAlive && this.answered.has(queue) && this.tagOf(queue) !== undefined;
  }

  /** The broker has agreed to consumers of them all, whatever became of those. */
  hasConsumed(queues: readonly string[]): boolean {
    return queues.every((queue) => this.answered.has(queue));
  }

  /** @throws NoAnswer the channel serves nothing any more, until that comes */
  async prefetch(count: number): Promise<void> {
    this.prefetchCount = count;
    await this.inTime(this.channel.prefetch(count), 'prefetch', Infinity);
  }

  /** For consumers from now on: as many as fit, of those that were wanted. False: as many as before. */
  refit(wanted: number): boolean {
    const fitting = this.holding.fitting(wanted);
    if (!this.isAlive || fitting === this.prefetchCount) return false;
    // One that is not answered is noticed with the next consumer.
    this.prefetch(fitting).catch(() => undefined);
    return true;
  }

  /** As `refit`, for a channel that takes less at a time than was wanted. */
  widen(wanted: number): boolean {
    return this.prefetchCount !== wanted && !this.isFull && this.refit(wanted);
  }

  /** True when the broker still serves this very channel; asked by what changes nothing for consumers that are there. */
  answers(): Promise<boolean> {
    const timeout = whileMoving(() => this.ledger.lastTag, this.session.timeout);
    return isAnswered(timeout, 'consume channel', this.channel.prefetch(this.prefetchCount));
  }

  /** @throws NoAnswer the channel serves nothing any more, until that comes */
  async consume(queue: string, consumerTag: string, timeoutMs: number, from?: StreamOffset): Promise<void> {
    this.queues.set(consumerTag, queue);
    this.consumers.add(consumerTag);
    this.answered.delete(queue);
    try {
      await this.inTime(this.channel.consume(queue, consumerTag, from), `consume queue '${queue}'`, timeoutMs);
      this.answered.add(queue);
    } catch (error) {
      this.consumers.delete(consumerTag);
      throw error;
    }
  }

  private async inTime(answer: Promise<unknown>, what: string, timeoutMs: number): Promise<void> {
    const timeout = whileMoving(() => this.ledger.lastTag, this.session.timeoutBehindDeliveries);
    try {
      await answerWithin({ ...timeout, timeoutMs: Math.min(timeout.timeoutMs, timeoutMs) }, what, answer);
    } catch (error) {
      if (error instanceof NoAnswer && this.state.name === 'open') this.state.enter({ name: 'stuck' });
      throw error;
    }
  }

  /** Gives up one consumer that the broker has forgotten; cancelling it keeps its tag free whatever the broker knows. */
  async forget(queue: string): Promise<void> {
    const tag = this.tagOf(queue);
    if (tag === undefined) return;
    this.consumers.delete(tag);
    await this.channel.cancel(tag);
  }

  /** Resolves when nothing is delivered any more, in whatever way. */
  async cancel(): Promise<void> {
    const tags = [...this.consumers];
    this.consumers.clear();
    await Promise.allSettled(tags.map((tag) => this.channel.cancel(tag)));
  }

  /** Takes nothing more until there is room, and until what is on its way has gone back. */
  pause(): void {
    // One that is not answered leaves the channel stuck, which shows when it shall consume again.
    const cancelled = this.inTime(this.cancel(), 'cancel', Infinity).catch(() => undefined);
    this.holding.stayFullUntil(cancelled);
  }

  /** Gives back what is not settled; nothing is reported any more. */
  async close(): Promise<void> {
    if (!this.isAlive) return;
    this.flush();
    this.arrived = [];
    this.state.enter({ name: 'left' });
    this.holding.giveAllBack();
    await within(goodbyeMs, this.channel.close());
  }

  ack(delivery: ReceivedMessage): boolean {
    if (!this.isAlive) return this.tooLate(delivery);
    if (!this.ledger.ack(delivery.deliveryTag)) return true;
    this.noteRead(delivery);
    this.holding.drop(delivery.deliveryTag);
    if (this.limits.acksMayWait && this.ledger.gatheredCount >= acksTogether) this.flush();
    else this.flushing ??= this.flushLater();
    return true;
  }

  reject(delivery: ReceivedMessage, requeue: boolean): boolean {
    if (!this.isAlive) return this.tooLate(delivery);
    if (!requeue) this.noteRead(delivery);
    this.rejectTag(delivery.deliveryTag, requeue);
    return true;
  }

  holds({ deliveryTag }: ReceivedMessage, bytes: number): void {
    if (this.isAlive && this.ledger.isHeld(deliveryTag)) this.holding.hold(deliveryTag, bytes);
  }

  flush(): void {
    this.stopFlushing();
    if (!this.isAlive) return;
    for (const { deliveryTag, multiple } of this.ledger.take()) this.channel.ack(deliveryTag, multiple);
  }

  /** Calls back when what was given to the channel has left this process; with false when the channel had ended before. */
  whenWritten(told: (left: boolean) => void): void {
    const tell = (): void => {
      const left = this.state.name !== 'lost';
      if (left && this.offsets.size > 0) this.goOnBehind();
      told(left);
    };
    // After a hold-up the end of a connection may stand behind its deliveries, to be read one turn later.
    this.channel.whenWritten(this.session.heldUp ? () => void setImmediate(tell) : tell);
  }

  delivered(message: LinkDelivery): void {
    if (!this.isAlive) return;
    const { deliveryTag } = message;
    if (!this.ledger.delivered(deliveryTag)) {
      return this.session.destroy(new Error(`a delivery came out of turn (${deliveryTag}): the connection is damaged`));
    }
    const queue = this.queues.get(message.consumerTag)!;
    this.counts.set(queue, this.deliveredFrom(queue) + 1);
    if (this.isTooMuch(message, queue)) return;
    const delivery = this.readable(queue, message);
    if (!delivery) return;
    this.holding.hold(deliveryTag, delivery.body.length);
    this.arrived.push(delivery);
    if (this.arrived.length === 1) process.nextTick(handOver, this);
  }

  cancelled(consumerTag: string): void {
    // Cancelled by us at the same time: that is what we want.
    if (!this.consumers.delete(consumerTag)) return;
    const queue = this.queues.get(consumerTag)!;
    this.offsets.delete(queue);
    if (this.isAlive) this.observer.consumerCancelled(this, queue);
  }

  channelClosed(refusal: BrokerRefusal | undefined): void {
    if (!this.isAlive) return;
    this.state.enter({ name: 'lost' });
    this.stopFlushing();
    this.arrived = [];
    this.consumers.clear();
    this.holding.giveAllBack();
    this.observer.channelLost(this, refusal);
  }

  private flushLater(): NodeJS.Immediate | NodeJS.Timeout {
    const flush = (): void => this.flush();
    return this.limits.acksMayWait ? setTimeout(flush, acksWaitMs) : setImmediate(flush);
  }

  private stopFlushing(): void {
    const { flushing } = this;
    this.flushing = undefined;
    if (flushing === undefined || flushing === 'soon') return;
    if (this.limits.acksMayWait) clearTimeout(flushing as NodeJS.Timeout);
    else clearImmediate(flushing as NodeJS.Immediate);
  }

  /** What has not left is not acknowledged, and to be read again. */
  private goOnBehind(): void {
    for (const [queue, offset] of this.offsets) this.limits.streams?.read(queue, offset);
    this.offsets.clear();
  }

  /** A stream gives it again only to whoever asks for its number. */
  private noteRead({ queue, properties }: ReceivedMessage): void {
    const offset = properties.headers['x-stream-offset'];
    if (typeof offset === 'number') this.offsets.set(queue, offset);
  }

  private tagOf(queue: string): string | undefined {
    for (const tag of this.consumers) if (this.queues.get(tag) === queue) return tag;
    return undefined;
  }

  private rejectTag(deliveryTag: number, requeue: boolean): void {
    this.flush();
    if (!this.ledger.reject(deliveryTag)) return;
    if (requeue) this.holding.giveBack(deliveryTag);
    else this.holding.drop(deliveryTag);
    this.channel.reject(deliveryTag, requeue);
  }

  /** It goes back, unread, while too much is held. */
  private isTooMuch(message: LinkDelivery, queue: string): boolean {
    const { isFull } = this.holding;
    if (!this.holding.refuses(message, queue)) return false;
    this.rejectTag(message.deliveryTag, true);
    if (!isFull) this.observer.overfull(this);
    return true;
  }

  private readable(queue: string, message: LinkDelivery): ReceivedMessage | undefined {
    try {
      const body = this.holding.read(message, queue, this.limits.body);
      return new ReceivedMessage(queue, message, body, performance.now(), this);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.rejectTag(message.deliveryTag, false);
      const text = `A message of queue '${queue}' was rejected unread: ${reason}`;
      this.events.emit({ type: 'message-rejected', level: 'warn', message: text, queue, error });
      return undefined;
    }
  }

  /** What arrived in this turn, all at once. */
  handOver(): void {
    const arrived = this.arrived;
    this.arrived = [];
    if (arrived.length === 0) return;
    this.flushing ??= 'soon';
    this.observer.onDeliveries(arrived);
    if (this.flushing !== 'soon') return;
    if (this.limits.acksMayWait && this.ledger.gatheredCount > 0) this.flushing = this.flushLater();
    else this.flush();
  }

  private tooLate(delivery: ReceivedMessage): false {
    if (!delivery.reportedLost) {
      delivery.reportedLost = true;
      const { queue } = delivery;
      const message = `Too late for an ack: the channel is gone, a message of queue '${queue}' will come again`;
      this.events.emit({ type: 'ack-lost', level: 'warn', message, queue });
    }
    return false;
  }
}

function handOver(channel: ConsumeChannel): void {
  channel.handOver();
}
