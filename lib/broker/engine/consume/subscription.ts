import { ClosedError, MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { within } from '../../../events/within.js';
import { HeldBudget } from '../../bounds/held-messages.js';
import type { ConsumeRequest, Delivery, Subscription } from '../../broker.js';
import type { BrokerRefusal } from '../../link.js';
import { Backoff } from '../connection/backoff.js';
import { NoAnswer } from '../connection/broker-request.js';
import type { ClosingRequests } from '../connection/closing-requests.js';
import type { Connection } from '../connection/connection.js';
import { FirstTime } from '../connection/first-time.js';
import { replyText } from '../connection/reply-codes.js';
import type { Session } from '../connection/session.js';
import { State, type Transitions } from '../state.js';
import { BindingRenewal } from './binding-renewal.js';
import { ConsumeChannel, type ConsumeChannelObserver, type ConsumeLimits } from './consume-channel.js';
import { ConsumerHealth } from './consumer-health.js';
import { StreamOffsets } from './stream-offsets.js';
import { ConsumerLosses } from './consumer-losses.js';
import { isHeldByOthers, longestHoldMs, refusalOf } from './consume-refusals.js';

export interface SubscriptionParts {
  connection: Connection;
  events: EventChannel;
  closingRequests: ClosingRequests;
  limits: ConsumeLimits;
  /** Queues that were told to be lost, and not yet to be back. */
  lostQueues: Set<string>;
  /** True when the connection may fall silent: then what was restored is checked once more. */
  isWatched: boolean;
  onClosed(subscription: RestoredSubscription): void;
}

/**
 * `waiting`: for a connection. `restoring`: declares and consumes what is not consumed, on a channel that may be there
 * already. `paused`: too much is held. `draining`: takes nothing more, and settles what it has.
 */
type SubscriptionState =
  | { readonly name: 'backingOff'; readonly timer: NodeJS.Timeout; readonly channel: ConsumeChannel | undefined }
  | { readonly name: 'closed' }
  | { readonly name: 'consuming'; readonly channel: ConsumeChannel; readonly timer: NodeJS.Timeout | undefined }
  | { readonly name: 'draining'; readonly channel: ConsumeChannel | undefined; readonly cancelled: Promise<void> }
  | { readonly name: 'paused'; readonly channel: ConsumeChannel }
  | { readonly name: 'restoring'; readonly channel: ConsumeChannel | undefined; readonly session: Session }
  | { readonly name: 'waiting' };

const following: Transitions<SubscriptionState['name']> = {
  waiting: ['restoring', 'draining'],
  restoring: ['restoring', 'consuming', 'paused', 'backingOff', 'waiting', 'draining'],
  consuming: ['paused', 'backingOff', 'waiting', 'draining'],
  paused: ['backingOff', 'waiting', 'draining'],
  backingOff: ['restoring', 'backingOff', 'paused', 'waiting', 'draining'],
  draining: ['closed'],
  closed: [],
};

/** How long a declaration that is under way is waited for, the broker's answer to a good-bye, or the end of a channel. */
const goodbyeMs = 1_000;
/** A connection that has ended in order takes its consumers along within this time. */
const checkAfterMs = 1_000;
/**
 * Several queues are often lost together, and each loss is told on its own. One that is declared anew before the broker has
 * told of its end is never told of: it is there again, and nobody consumes it.
 */
const settleMs = 50;
/** A queue that has just lost its leader answers nobody, but soon who asks anew: so long at first, twice as long each time. */
const shortestAnswerMs = 1_000;

/** The consumers of one request: made again, under the same names and tags, as often as they are lost. */
export class RestoredSubscription implements Subscription, ConsumeChannelObserver {
  /** Settles when all queues are consumed for the first time, or never will be. */
  readonly ready: Promise<void>;
  private readonly state = new State<SubscriptionState>('subscription', following, { name: 'waiting' });
  private readonly backoff = new Backoff();
  private readonly renewal: BindingRenewal;
  private readonly health: ConsumerHealth;
  private readonly streams: StreamOffsets;
  private readonly losses: ConsumerLosses;
  private readonly limits: ConsumeLimits;
  private readonly unlisten: () => void;
  /** Until all queues are consumed for the first time. */
  private start: FirstTime | undefined;
  /** One check at a time: two at once would count as two in a row. */
  private checking: Promise<void> | undefined;
  private declaring: Promise<void> | undefined;
  /** Attempts to restore that have failed in a row, and those of them that the broker did not answer. */
  private failures = 0;
  private unanswered = 0;
  /** On the clock of `performance.now()`: since when somebody else holds the queues. */
  private heldSince: number | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly request: ConsumeRequest,
    private readonly parts: SubscriptionParts,
  ) {
    const { connection, events, limits } = parts;
    this.streams = new StreamOffsets(request.topology);
    const atOnce = request.settledAtOnce && { held: new HeldBudget(Infinity), acksMayWait: true };
    this.limits = { ...limits, streams: this.streams, ...atOnce };
    this.health = new ConsumerHealth(request, this.streams);
    this.losses = new ConsumerLosses(events, request.queues, parts.lostQueues);
    this.renewal = new BindingRenewal(request, {
      losses: this.losses,
      consuming: () => (this.state.name === 'consuming' && this.consuming ? this.channel?.session : undefined),
      declare: (session) => this.declare(session),
    });
    this.start = new FirstTime(request.giveUpMs, (failure) => this.failStart(failure));
    this.ready = this.start.promise;
    this.unlisten = connection.listen({
      connected: () => this.restore(),
      disconnected: ({ fellSilent }) => void (fellSilent && this.health.suspectStale()),
      attemptFailed: ({ host, reason, error }) =>
        this.start?.attemptFailed({ reason: `no connection to ${host}: ${reason}`, error }),
    });
    this.restore();
  }

  get queues(): readonly string[] {
    return this.request.queues;
  }

  get consuming(): boolean {
    return !this.isEnding && this.missing.length === 0;
  }

  flush(written?: (left: boolean) => void): void {
    const { channel } = this;
    channel?.flush();
    if (written && channel) channel.whenWritten(written);
    else if (written) setImmediate(() => written(false));
  }

  cancel(): Promise<void> {
    const { value } = this.state;
    if (value.name === 'draining') return value.cancelled;
    if (value.name === 'closed') return Promise.resolve();
    const { channel } = this;
    const cancelled = channel?.cancel() ?? Promise.resolve();
    this.state.enter({ name: 'draining', channel, cancelled });
    this.renewal.stop();
    this.start?.end(new ClosedError('subscription'));
    return cancelled;
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /**
   * Consumes again the queues that are missing, unconsumed or stalled, and renews the bindings. A consumer missing on a
   * queue that others consume as well cannot be told from theirs.
   */
  verify(): Promise<void> {
    this.checking ??= this.check().finally(() => (this.checking = undefined));
    return this.checking;
  }

  /** A message of ours has found no queue, or with no routing key not even its exchange. */
  notRouted(exchange: string, routingKey?: string): void {
    this.renewal.notRouted(exchange, routingKey);
  }

  onDeliveries(deliveries: readonly Delivery[]): void {
    this.losses.guarded(this.queues, () => this.request.onDeliveries(deliveries, this));
  }

  consumerCancelled(channel: ConsumeChannel, queue: string): void {
    if (this.channel !== channel || this.isEnding) return;
    this.streams.forget(queue);
    this.losses.report([queue], 'cancelled by the broker');
    this.restoreSoon();
  }

  /** Takes nothing more until there is room; the broker keeps it. */
  overfull(channel: ConsumeChannel): void {
    if (this.channel !== channel || this.isEnding) return;
    void channel.cancel();
    this.losses.report(this.queues, 'more bytes are held than may be (maxHeldBytes)');
    if (this.state.name !== 'restoring') this.state.enter({ name: 'paused', channel });
  }

  roomy(channel: ConsumeChannel): void {
    if (this.channel !== channel || this.isEnding) return;
    channel.refit(this.request.prefetch);
    this.restoreSoon();
  }

  channelLost(channel: ConsumeChannel, refusal: BrokerRefusal | undefined): void {
    if (this.channel !== channel) return;
    if (refusal && !this.start && !this.isEnding) this.losses.report(this.queues, replyText(refusal));
    const { value } = this.state;
    // An attempt that is under way fails by itself.
    if (value.name === 'restoring') this.state.enter({ ...value, channel: undefined });
    else if (!this.isEnding && refusal)
      this.state.enter({ name: 'backingOff', timer: this.soon(), channel: undefined });
    else if (!this.isEnding) this.state.enter({ name: 'waiting' });
    this.interrupted();
  }

  private get channel(): ConsumeChannel | undefined {
    const { value } = this.state;
    return 'channel' in value ? value.channel : undefined;
  }

  private get isEnding(): boolean {
    return this.state.name === 'draining' || this.state.name === 'closed';
  }

  private get missing(): readonly string[] {
    return this.queues.filter((queue) => !this.channel?.isConsuming(queue));
  }

  private interrupted(): void {
    this.losses.guarded(this.queues, () => this.request.onInterrupted?.());
  }

  private async check(): Promise<void> {
    const { value } = this.state;
    if (value.name !== 'consuming') return;
    const { channel } = value;
    const findings = await this.health.examine(channel, this.queues);
    if (this.state.value !== value) return;
    // A new channel alone would leave its consumers behind, with their share of what comes.
    if (findings.isStuck) return channel.session.giveUp('the broker does not answer on the channel that consumes');
    if (findings.stalled.length > 0)
      return this.renewChannel(channel, findings.stalled, 'messages wait and none is delivered');
    if (findings.missing.length > 0) {
      const consumed = this.consumeAnew(channel, findings.missing);
      this.losses.report(findings.missing, 'the broker does not know our consumers any more');
      return consumed;
    }
    if (channel.mayTakeMore(this.request.prefetch)) return this.consumeAnew(channel, this.queues);
    for (const queue of findings.shared) await channel.session.deleteQueue(queue, { ifEmpty: true });
    await this.renewal.now();
  }

  private async consumeAnew(channel: ConsumeChannel, queues: readonly string[]): Promise<void> {
    await within(goodbyeMs, Promise.all(queues.map((queue) => channel.forget(queue))));
    if (this.channel === channel && !this.isEnding) this.restoreSoon();
  }

  /** The broker takes back what it believes to be with us, and delivers it again. */
  private async renewChannel(channel: ConsumeChannel, queues: readonly string[], reason: string): Promise<void> {
    const backingOff: SubscriptionState = { name: 'backingOff', timer: this.soon(goodbyeMs), channel: undefined };
    this.state.enter(backingOff);
    this.losses.report(queues, reason);
    const closed = channel.close();
    this.interrupted();
    await closed;
    if (this.state.value === backingOff) this.restoreSoon();
  }

  /** All that is lost in the same moment is restored together. */
  private restoreSoon(): void {
    if (this.state.name === 'restoring' || this.isEnding) return;
    this.state.enter(this.backingOff());
  }

  private soon(leastMs = settleMs): NodeJS.Timeout {
    const delayMs = this.failures === 0 ? leastMs : this.backoff.delayMs(this.failures);
    return setTimeout(() => this.restore(), delayMs);
  }

  /** Consumes what is not consumed; where that fails, again later, for as long as there is a connection. */
  private restore(): void {
    const { session } = this.parts.connection;
    const { name } = this.state;
    if (!session || (name !== 'waiting' && name !== 'backingOff')) return;
    const channel = this.channel?.session === session && this.channel.isAlive ? this.channel : undefined;
    this.state.enter({ name: 'restoring', channel, session });
    this.consumeMissing(session).then(
      () => this.restored(session),
      (error: unknown) => this.restoreFailed(session, error),
    );
  }

  private async consumeMissing(session: Session): Promise<void> {
    const channel = this.channel ?? (await this.openChannel(session));
    if (!this.isEnding) await this.health.endStale(session);
    if (this.isEnding) return;
    await this.declare(session);
    for (const queue of this.missing) {
      if (this.isEnding || channel.isFull) return;
      await this.consumeQueue(channel, queue);
    }
  }

  private async consumeQueue(channel: ConsumeChannel, queue: string): Promise<void> {
    const { closingRequests } = this.parts;
    const request = { name: queue, what: `consume queue '${queue}'` };
    closingRequests.requirePermitted(request);
    const [tag, from] = [String(this.queues.indexOf(queue) + 1), this.streams.next(queue)];
    const timeoutMs = shortestAnswerMs * 2 ** this.unanswered;
    await closingRequests.ask(request, channel.session, () => channel.consume(queue, tag, timeoutMs, from));
  }

  private declare(session: Session): Promise<void> {
    return (this.declaring = session.declarer.declare(this.request.topology));
  }

  private async openChannel(session: Session): Promise<ConsumeChannel> {
    const { events } = this.parts;
    const channel = await ConsumeChannel.open(session, this, events, this.limits);
    // The end of a connection may have been told before anybody listened to this channel.
    if (!session.alive) throw new Error('the connection has ended');
    // Drained meanwhile: nobody else knows of it.
    if (this.state.name !== 'restoring') await channel.close();
    // Known before anything can fail on it, so that its loss is noticed.
    else if (channel.isAlive) this.state.enter({ name: 'restoring', channel, session });
    if (this.request.prefetch > 0 && !this.isEnding) await channel.prefetch(this.request.prefetch);
    return channel;
  }

  private restored(session: Session): void {
    const { value } = this.state;
    if (value.name !== 'restoring') return;
    const { channel } = value;
    if (!channel) return void this.state.enter(session.alive ? this.backingOff() : { name: 'waiting' });
    const { isFull } = channel;
    if (this.missing.length > 0 && !isFull) return void this.state.enter(this.backingOff());
    this.failures = 0;
    this.unanswered = 0;
    this.heldSince = undefined;
    this.state.enter(isFull ? { name: 'paused', channel } : { name: 'consuming', channel, timer: this.checkLater() });
    if (!isFull) this.losses.restored();
    // One that is full already has begun, too.
    if (isFull && !channel.hasConsumed(this.queues)) return;
    this.start?.end();
    this.start = undefined;
  }

  private backingOff(): SubscriptionState {
    return { name: 'backingOff', timer: this.soon(), channel: this.channel };
  }

  /** Checks once more, when the broker has done with what was there before. */
  private checkLater(): NodeJS.Timeout | undefined {
    return this.parts.isWatched ? setTimeout(() => void this.verify().catch(() => undefined), checkAfterMs) : undefined;
  }

  private restoreFailed(session: Session, error: unknown): void {
    if (this.state.name !== 'restoring') return;
    const isAwaited = this.request.onRefused !== undefined && isHeldByOthers(error);
    const refusal = this.start && !isAwaited ? refusalOf(error, this.queues) : undefined;
    if (refusal) {
      this.start?.end(refusal);
      void this.close();
      return;
    }
    this.start?.attemptFailed({ reason: replyText(session.endedBy ?? error), error });
    this.noteRefusal(error);
    if (this.state.name !== 'restoring') return;
    const { channel } = this;
    if (error instanceof NoAnswer && channel?.isStuck) {
      this.unanswered += 1;
      return void this.renewChannel(channel, this.queues, replyText(error));
    }
    if (session.alive) this.losses.report(this.missing, replyText(error), error);
    // Without a connection the next one is awaited; it may be here already.
    if (!session.alive && !this.parts.connection.session) return void this.state.enter({ name: 'waiting' });
    this.failures += 1;
    this.state.enter(this.backingOff());
  }

  private noteRefusal(error: unknown): void {
    const now = performance.now();
    this.heldSince = isHeldByOthers(error) ? (this.heldSince ?? now) : undefined;
    if (this.heldSince === undefined || now - this.heldSince < longestHoldMs) return;
    this.losses.guarded(this.queues, () => this.request.onRefused?.(replyText(error)));
    if (this.request.onRefused) this.rejectStart(replyText(error), error);
  }

  private failStart(failure?: { reason: string; error: unknown }): void {
    const { giveUpMs = 0 } = this.request;
    const reason = failure?.reason ?? 'the broker has not answered';
    this.rejectStart(giveUpMs > 0 ? `not within ${giveUpMs} ms; ${reason}` : reason, failure?.error);
  }

  private rejectStart(reason: string, cause: unknown): void {
    if (!this.start || this.isEnding) return;
    this.start.end(new MessageDeliveryFailure(`${this.queues.join(', ')} cannot be consumed: ${reason}`, { cause }));
    void this.close();
  }

  private async end(): Promise<void> {
    const cancelled = this.cancel();
    this.unlisten();
    await cancelled;
    // A deletion of the queues afterwards must not be followed by their declaration.
    await within(goodbyeMs, this.declaring);
    const { channel } = this;
    this.state.enter({ name: 'closed' });
    if (!this.start) this.losses.end();
    await channel?.close();
    this.parts.onClosed(this);
  }
}
