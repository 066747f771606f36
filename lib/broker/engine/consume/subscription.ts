import { ClosedError, MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { within } from '../../../events/within.js';
import { HeldBudget } from '../../bounds/held-messages.js';
import type { ConsumeRequest, Delivery, Subscription } from '../../broker.js';
import type { BrokerRefusal } from '../../link.js';
import { isHeldByOthers } from '../../refusal-words.js';
import { Backoff } from '../connection/backoff.js';
import { NoAnswer } from '../connection/broker-request.js';
import type { ClosingRequests } from '../connection/closing-requests.js';
import type { Connection } from '../connection/connection.js';
import { FirstTime } from '../connection/first-time.js';
import { replyText } from '../connection/reply-codes.js';
import type { Session } from '../connection/session.js';
import { ConsumeChannel, type ConsumeChannelObserver, type ConsumeLimits } from './consume-channel.js';
import { ConsumerHealth } from './consumer-health.js';
import { newSubscriptionState } from './subscription-state.js';
import { StreamOffsets } from './stream-offsets.js';
import { ConsumerLosses } from './consumer-losses.js';
import { HeldQueues, refusalOf } from './consume-refusals.js';

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

/** How long a declaration that is under way is waited for, the broker's answer to a good-bye, or the end of a channel. */
const goodbyeMs = 1_000;
/** A connection that has ended in order takes its consumers along within this time. */
const checkAfterMs = 1_000;
/** Bindings that are refused are asked for again: after that time at first, twice as late each time. */
const longestPauseMs = 5_000;
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
  private readonly state = newSubscriptionState();
  private readonly backoff = new Backoff();
  private readonly health: ConsumerHealth;
  private readonly streams: StreamOffsets;
  private readonly losses: ConsumerLosses;
  private readonly heldQueues = new HeldQueues();
  private readonly limits: ConsumeLimits;
  private readonly unlisten: () => void;
  /** Until all queues are consumed for the first time. */
  private start: FirstTime | undefined;
  /** One check at a time: two at once would count as two in a row. */
  private checking: Promise<void> | undefined;
  /** On the clock of `performance.now()`. */
  private checkedAt = -Infinity;
  private declaring: Promise<void> | undefined;
  /** Attempts to restore or to bind that have failed in a row, and those of them that the broker did not answer. */
  private failures = 0;
  private unanswered = 0;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly request: ConsumeRequest,
    private readonly parts: SubscriptionParts,
  ) {
    const { connection, events, limits } = parts;
    this.streams = new StreamOffsets(request.topology);
    // An auto-delete queue goes with its last consumer, and all that waits in it: there the prefetch alone bounds what is held.
    const mayPause = !request.settledAtOnce && !request.topology.some((one) => one.kind === 'queue' && one.autoDelete);
    const held = mayPause ? limits.held : new HeldBudget(Infinity);
    this.limits = { ...limits, held, streams: this.streams, acksMayWait: request.settledAtOnce };
    this.health = new ConsumerHealth(request, this.streams);
    this.losses = new ConsumerLosses(events, request, parts.lostQueues, connection);
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
    return !this.isEnding && this.unconsumed.length === 0;
  }

  /** It has lost consumers, or has none yet; one that is paused wants none. */
  get isToBeRestored(): boolean {
    return !this.isEnding && this.state.name !== 'paused' && this.unconsumed.length > 0;
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
    this.start?.end(new ClosedError('subscription'));
    return cancelled;
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /**
   * Consumes again the queues that are gone, unconsumed or stalled, and renews the bindings. On a queue that others consume as
   * well, ours cannot be told from theirs.
   */
  verify(): Promise<void> {
    this.checking ??= this.check().finally(() => (this.checking = undefined));
    return this.checking;
  }

  /** A message of ours has found no queue, or with no routing key not even its exchange: our bindings may have gone with that. */
  notRouted(exchange: string, routingKey?: string): void {
    if (this.state.name !== 'consuming' || !this.losses.isBoundTo(exchange)) return;
    this.losses.notRouted(exchange, routingKey);
    this.checkBy(this.checkedAt + this.pauseMs);
  }

  onDeliveries(deliveries: readonly Delivery[]): void {
    this.losses.guarded(() => this.request.onDeliveries(deliveries, this));
  }

  consumerCancelled(channel: ConsumeChannel, queue: string): void {
    if (this.channel !== channel || this.isEnding) return;
    this.streams.forget(queue);
    this.restoreSoon();
    this.losses.report([queue], 'cancelled by the broker');
  }

  /** Takes nothing more until there is room; the broker keeps it. */
  overfull(channel: ConsumeChannel): void {
    if (this.channel !== channel || this.isEnding) return;
    channel.pause();
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
    const isReported = refusal && !this.start && !this.isEnding;
    const { value } = this.state;
    // An attempt that is under way fails by itself.
    if (value.name === 'restoring') this.state.enter({ ...value, channel: undefined });
    else if (!this.isEnding && refusal) this.backOff(undefined);
    else if (!this.isEnding) this.state.enter({ name: 'waiting' });
    this.interrupted();
    if (isReported) this.losses.report(this.queues, replyText(refusal));
  }

  private get channel(): ConsumeChannel | undefined {
    const { value } = this.state;
    return 'channel' in value ? value.channel : undefined;
  }

  private get isEnding(): boolean {
    return this.state.name === 'draining' || this.state.name === 'closed';
  }

  private get unconsumed(): readonly string[] {
    return this.queues.filter((queue) => !this.channel?.isConsuming(queue));
  }

  private interrupted(): void {
    this.losses.guarded(() => this.request.onInterrupted?.());
  }

  /** Brings the next check forward, to a moment on the clock of `performance.now()`. */
  private checkBy(moment: number): void {
    const { value } = this.state;
    if (value.name !== 'consuming' || value.checkAt <= moment) return;
    const timer = setTimeout(() => this.checkDue(value.channel), Math.max(0, moment - performance.now()));
    this.state.enter({ ...value, timer, checkAt: moment });
  }

  private checkDue(channel: ConsumeChannel): void {
    this.state.enter({ name: 'consuming', channel, checkAt: Infinity });
    // One that is under way may have looked too soon.
    if (this.checking) this.checkBy(performance.now() + checkAfterMs);
    else void this.verify().catch(() => undefined);
  }

  private get pauseMs(): number {
    return Math.min(longestPauseMs, checkAfterMs * 2 ** this.failures);
  }

  private async check(): Promise<void> {
    const { channel } = this;
    if (this.state.name !== 'consuming' || !channel) return;
    this.checkedAt = performance.now();
    const findings = await this.health.examine(channel, this.queues);
    if (this.state.name !== 'consuming' || this.channel !== channel) return;
    // A new channel alone would leave its consumers behind, with their share of what comes.
    if (findings.isStuck) return channel.session.giveUp('the broker does not answer on the channel that consumes');
    if (findings.stalled.length > 0)
      return this.renewChannel(channel, findings.stalled, 'messages wait and none is delivered');
    if (findings.unconsumed.length > 0) {
      const consumed = this.consumeAnew(channel, findings.unconsumed);
      this.losses.report(findings.unconsumed, 'the broker does not know our consumers any more');
      return consumed;
    }
    if (channel.widen(this.request.prefetch)) return this.consumeAnew(channel, this.queues);
    for (const queue of findings.shared) await channel.session.deleteQueue(queue, { ifEmpty: true });
    if (this.losses.bindings.length > 0) await this.bindAnew(channel.session);
  }

  /** An exchange that is lost takes our bindings along, and leaves the consumers. */
  private async bindAnew(session: Session): Promise<void> {
    try {
      await this.declare(session);
      if (this.state.name !== 'consuming') return;
      this.failures = 0;
      this.losses.restored();
    } catch (error) {
      if (!session.alive || this.state.name !== 'consuming') return;
      this.failures += 1;
      this.losses.report(this.queues, `they cannot be bound again: ${replyText(error)}`, error);
      this.checkBy(performance.now() + this.pauseMs);
    }
  }

  private async consumeAnew(channel: ConsumeChannel, queues: readonly string[]): Promise<void> {
    await within(goodbyeMs, Promise.all(queues.map((queue) => channel.forget(queue))));
    if (this.channel === channel && !this.isEnding) this.restoreSoon();
  }

  /** The broker takes back what it believes to be with us, and delivers it again. */
  private async renewChannel(channel: ConsumeChannel, queues: readonly string[], reason: string): Promise<void> {
    this.backOff(undefined, goodbyeMs);
    const { value } = this.state;
    this.losses.report(queues, reason);
    const closed = channel.close();
    this.interrupted();
    await closed;
    if (this.state.value === value) this.restoreSoon();
  }

  /** All that is lost in the same moment is restored together. */
  private restoreSoon(): void {
    if (this.state.name !== 'restoring' && !this.isEnding) this.backOff(this.channel);
  }

  private backOff(channel: ConsumeChannel | undefined, leastMs = settleMs): void {
    const delayMs = this.failures === 0 ? leastMs : this.backoff.delayMs(this.failures);
    this.state.enter({ name: 'backingOff', timer: setTimeout(() => this.restore(), delayMs), channel });
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
    for (const queue of this.unconsumed) {
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
    const channel = await ConsumeChannel.open(session, this, this.parts.events, this.limits);
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
    if (!channel) return session.alive ? this.backOff(undefined) : void this.state.enter({ name: 'waiting' });
    const { isFull } = channel;
    if (this.unconsumed.length > 0 && !isFull) return this.backOff(channel);
    this.failures = 0;
    this.unanswered = 0;
    this.heldQueues.note(undefined);
    this.state.enter(isFull ? { name: 'paused', channel } : { name: 'consuming', channel, checkAt: Infinity });
    // Once more when the broker has done with what was there before.
    if (this.parts.isWatched) this.checkBy(performance.now() + checkAfterMs);
    if (!isFull) this.losses.restored();
    // One that is full already has begun, too.
    if (isFull && !channel.hasConsumed(this.queues)) return;
    this.start?.end();
    this.start = undefined;
  }

  private restoreFailed(session: Session, error: unknown): void {
    if (this.state.name !== 'restoring') return;
    const isAwaited = this.request.onRefused !== undefined && isHeldByOthers(error);
    const refusal = this.start && !isAwaited ? refusalOf(error, this.queues) : undefined;
    if (refusal) {
      this.start?.end(refusal);
      return void this.close();
    }
    this.start?.attemptFailed({ reason: replyText(session.endedBy ?? error), error });
    if (this.heldQueues.note(error)) {
      this.losses.guarded(() => this.request.onRefused?.(replyText(error)));
      if (this.request.onRefused) this.rejectStart(replyText(error), error);
    }
    if (this.state.name !== 'restoring') return;
    const { channel } = this;
    if (error instanceof NoAnswer && channel?.isStuck) {
      this.unanswered += 1;
      return void this.renewChannel(channel, this.queues, replyText(error));
    }
    // Without a connection the next one is awaited; it may be here already.
    if (!session.alive && !this.parts.connection.session) return void this.state.enter({ name: 'waiting' });
    this.failures += 1;
    this.backOff(channel);
    if (session.alive) this.losses.report(this.unconsumed, replyText(error), error);
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
