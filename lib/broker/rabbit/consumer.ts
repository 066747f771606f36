import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { longestTimerMs } from '../../events/longest-timer.js';
import { within } from '../../events/within.js';
import type { BindingDeclaration, Declaration } from '../../wire/topology.js';
import type { ConsumeRequest, Delivery, Subscription } from '../broker.js';
import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import { growingPatienceMs } from './answered-in-time.js';
import { refusalOf } from './consume-refusal.js';
import { BindingRenewal } from './binding-renewal.js';
import { ConsumeChannel, type ConsumeChannelObserver } from './consume-channel.js';
import type { CheckedConsumer } from './consumer-check.js';
import type { ConsumerParts } from './consumer-parts.js';
import { ConsumerLosses } from './consumer-losses.js';
import { deafQueues } from './deaf-queues.js';
import { guarded } from './guarded-callback.js';
import { endGhosts, endGhostsFirst, withCountedConsumers } from './ghost-consumers.js';
import { HeldBudget } from './held-messages.js';
import type { Line } from './line.js';
import { RestoreTimer } from './restore-timer.js';
import { SecondLook } from './second-look.js';
import { SilentQueues } from './silent-queues.js';
import { NoAnswer } from './spare-channel.js';
import { whenWritten } from './when-written.js';

/** How long a declaration that is under way is waited for, or the broker's answer to a good-bye. */
const goodbyeMs = 1_000;

/** So long a queue may be locked by what a lost connection has left behind. */
const longestRefusalMs = 3_000;

/** Somebody else consumes the queue, or has made it, exclusively; a missing permission is not about its name. */
function isHeldByOthers(error: unknown): boolean {
  const reason = replyCode(error) === undefined && error instanceof Error ? error.cause : error;
  if (replyCode(reason) === ReplyCode.resourceLocked) return true;
  return replyCode(reason) === ReplyCode.accessRefused && !replyText(reason).includes('refused for user');
}

/** The consumers of one request: made again, under the same names and tags, as often as they are lost. */
export class Consumer implements CheckedConsumer, Subscription, ConsumeChannelObserver {
  /** Settles when all queues are consumed for the first time, or never will be. */
  readonly ready: Promise<void>;
  private readonly timer = new RestoreTimer(() => void this.restore());
  private readonly secondLook = new SecondLook(() => this.verify());
  private readonly renewal = new BindingRenewal(() => this.renewBindings());
  private readonly silence = new SilentQueues();
  private readonly losses: ConsumerLosses;
  private readonly own: readonly string[];
  private readonly unbounded = new HeldBudget(Infinity);
  private readonly unlisten: () => void;
  private channel: ConsumeChannel | undefined;
  private working = false;
  private afterSilence = false;
  /** One look at a time: two at once would count as two in a row. */
  private looking: Promise<void> | undefined;
  private declaring: Promise<void> | undefined;
  /** Grows with each attempt to consume: what was seen before is out of date. */
  private attempts = 0;
  private unanswered = 0;
  private ending = false;
  private isReady = false;
  /** Ends a start that takes too long. */
  private readonly startTimer: NodeJS.Timeout | undefined;
  /** What has kept it from consuming the last time. */
  private lastFailure: string | undefined;
  /** On the clock of `performance.now()`. */
  private refusedSince: number | undefined;
  private cancelling: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  private settle!: { resolve: () => void; reject: (error: Error) => void };

  constructor(
    private readonly request: ConsumeRequest,
    private readonly parts: ConsumerParts,
  ) {
    this.ready = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.losses = new ConsumerLosses(parts.events);
    this.own = withCountedConsumers(request);
    this.startTimer = this.boundStart();
    this.unlisten = parts.supervisor.listen({
      lineUp: () => void this.restore(),
      lineDown: (line) => (this.afterSilence ||= line.fellSilent),
      attemptFailed: ({ host, reason, error }) => this.startHindered(`no connection to ${host}: ${reason}`, error),
    });
    void this.restore();
  }

  get queues(): readonly string[] {
    return this.request.queues;
  }

  get consuming(): boolean {
    return !this.ending && this.missing.length === 0;
  }

  flush(written?: (left: boolean) => void): void {
    this.channel?.flush();
    if (written) whenWritten(this.channel, written);
  }

  cancel(): Promise<void> {
    this.ending = true;
    this.timer.stop();
    this.secondLook.stop();
    this.renewal.stop();
    clearTimeout(this.startTimer);
    this.cancelling ??= this.channel?.cancel() ?? Promise.resolve();
    if (!this.isReady) this.settle.reject(new ClosedError('subscription'));
    return this.cancelling;
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /**
   * Consumes again the queues that are gone, have no consumer or give nothing of what they have, though nobody has
   * told, and binds again what has lost its exchange. A consumer missing on a queue that others consume as well cannot be told from theirs.
   */
  verify(): Promise<void> {
    this.looking ??= this.look().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async look(): Promise<void> {
    const { channel, attempts } = this;
    if (this.working || this.ending || channel?.isFull) return;
    if (!this.consuming || !channel) return this.timer.unlessSet();
    const isOutdated = (): boolean => this.working || !this.consuming || this.attempts !== attempts;
    const answers = await channel.answers();
    if (isOutdated()) return;
    // A new channel alone would leave its consumers behind, with their share of what comes.
    if (!answers) return channel.line.giveUp('the broker does not answer on the channel that consumes');
    const { forgotten, silent } = await deafQueues(this.queues, channel, this.parts.inspector, this.silence);
    if (isOutdated()) return;
    if (silent.length > 0) return this.renewChannel(channel, silent, 'messages wait and none is delivered');
    await endGhosts(channel.line, this.own, this.parts.inspector);
    if (isOutdated()) return;
    if (channel.mayTakeMore(this.request.prefetch)) return this.consumeAnew(channel);
    if (forgotten.length === 0) return this.renewal.now();
    const consumed = this.consumeAnew(channel, forgotten);
    this.losses.report(forgotten, 'the broker does not know our consumers any more');
    await consumed;
  }

  private async consumeAnew(channel: ConsumeChannel, queues = this.queues): Promise<void> {
    await within(goodbyeMs, Promise.all(queues.map((queue) => channel.forget(queue))));
    if (!this.ending) this.timer.soon();
  }

  /** A message of ours has found no queue, or with no routing key not even its exchange: our bindings may have gone with that. */
  notRouted(exchange: string, routingKey?: string): void {
    const bindings = this.request.topology.filter(isBinding).filter((binding) => binding.exchange === exchange);
    if (bindings.length === 0 || !this.consuming) return;
    const isLost = routingKey === undefined || bindings.some((binding) => binding.routingKey === routingKey);
    if (isLost && !this.losses.areReported)
      this.losses.report(this.queues, `exchange '${exchange}' has lost their bindings`);
    this.renewal.soon();
  }

  onDeliveries(deliveries: readonly Delivery[]): void {
    guarded(this.parts.events, this.queues, () => this.request.onDeliveries(deliveries, this));
  }

  consumerCancelled(channel: ConsumeChannel, queue: string): void {
    if (this.channel !== channel || this.ending) return;
    this.losses.report([queue], 'cancelled by the broker');
    this.timer.soon();
  }

  /** Takes nothing more until there is room; the broker keeps it. */
  overfull(channel: ConsumeChannel): void {
    if (this.channel !== channel || this.ending) return;
    void channel.cancel();
    this.losses.report(this.queues, 'more bytes are held than may be (maxHeldBytes)');
  }

  roomy(channel: ConsumeChannel): void {
    if (this.channel !== channel || this.ending) return;
    channel.refit(this.request.prefetch);
    this.timer.soon();
  }

  channelLost(channel: ConsumeChannel, error: Error | undefined): void {
    if (this.channel !== channel) return;
    this.channel = undefined;
    if (error && this.isReady && !this.ending) this.losses.report(this.queues, replyText(error));
    guarded(this.parts.events, this.queues, () => this.request.onInterrupted?.());
    if (error) this.timer.soon();
  }

  /** The broker takes back what it believes to be with us, and delivers it again. */
  private async renewChannel(channel: ConsumeChannel, queues: readonly string[], reason: string): Promise<void> {
    this.channel = undefined;
    this.losses.report(queues, reason);
    const closed = channel.close();
    guarded(this.parts.events, this.queues, () => this.request.onInterrupted?.());
    await closed;
    if (!this.ending) this.timer.soon();
  }

  /** An exchange that was deleted takes the bindings along, and leaves the consumers. False: they were refused. */
  private async renewBindings(): Promise<boolean> {
    const { line } = this.parts.supervisor;
    // Whoever consumes anew binds before.
    if (!line || this.working || !this.consuming || !this.request.topology.some(isBinding)) return true;
    try {
      await this.declare(line);
      if (this.consuming) this.losses.restored();
    } catch (error) {
      if (!line.alive || this.ending) return true;
      this.losses.report(this.queues, `they cannot be bound again: ${replyText(error)}`, error);
      return false;
    }
    return true;
  }

  private get missing(): readonly string[] {
    return this.queues.filter((queue) => !this.channel?.isConsuming(queue));
  }

  /** Consumes what is not consumed; where that fails, again later, for as long as there is a line. */
  private async restore(): Promise<void> {
    const { line } = this.parts.supervisor;
    if (this.working || this.ending || !line || this.channel?.isFull) return;
    this.working = true;
    this.attempts++;
    try {
      await this.consumeMissing(line);
      this.working = false;
      if (this.ending) return;
      this.restored();
      this.secondLook.later();
    } catch (error) {
      this.working = false;
      this.restoreFailed(line, error);
    }
  }

  private async consumeMissing(line: Line): Promise<void> {
    const channel = this.channel?.line === line ? this.channel : await this.openChannel(line);
    if (this.afterSilence && !this.ending) await endGhostsFirst(line, this.own, this.parts.inspector);
    this.afterSilence = false;
    if (this.ending) return;
    await this.declare(line);
    for (const queue of this.missing) {
      if (this.ending || channel.isFull) return;
      await this.consumeQueue(channel, queue);
    }
  }

  private async consumeQueue(channel: ConsumeChannel, queue: string): Promise<void> {
    const { closing } = this.parts;
    const request = { name: queue, what: `consume queue '${queue}'` };
    closing.requirePermitted(request);
    const tag = String(this.queues.indexOf(queue) + 1);
    await closing.ask(request, channel.line, () => channel.consume(queue, tag, growingPatienceMs(this.unanswered)));
  }

  private noteRefusal(error: unknown): void {
    if (!isHeldByOthers(error)) return void (this.refusedSince = undefined);
    this.refusedSince ??= performance.now();
    if (performance.now() - this.refusedSince < longestRefusalMs) return;
    guarded(this.parts.events, this.queues, () => this.request.onRefused?.(replyText(error)));
    if (this.request.onRefused) this.failStart(replyText(error), error);
  }

  private boundStart(): NodeJS.Timeout | undefined {
    const { giveUpMs = Infinity } = this.request;
    if (giveUpMs <= 0 || giveUpMs === Infinity) return undefined;
    const giveUp = (): void =>
      this.failStart(`not within ${giveUpMs} ms; ${this.lastFailure ?? 'the broker has not answered'}`);
    return setTimeout(giveUp, Math.min(giveUpMs, longestTimerMs));
  }

  private startHindered(reason: string, error: unknown): void {
    this.lastFailure = reason;
    if (this.request.giveUpMs === 0) this.failStart(reason, error);
  }

  private failStart(reason: string, cause?: unknown): void {
    if (this.isReady || this.ending) return;
    const queues = this.queues.join(', ');
    this.settle.reject(new MessageDeliveryFailure(`${queues} cannot be consumed: ${reason}`, { cause }));
    void this.close();
  }

  private declare(line: Line): Promise<void> {
    return (this.declaring = line.declarer.declare(this.request.topology));
  }

  private async openChannel(line: Line): Promise<ConsumeChannel> {
    const { events } = this.parts;
    const limits = this.request.settledAtOnce ? { ...this.parts.limits, held: this.unbounded } : this.parts.limits;
    const channel = await ConsumeChannel.open(line, this, events, limits);
    // The end of a line may have been told before anybody listened to this channel.
    if (!line.alive) throw new Error('the connection has ended');
    // Closed meanwhile: nobody else knows of it.
    if (this.closing) await channel.close();
    // Known before anything can fail on it, so that its loss is noticed.
    else if (channel.isAlive) this.channel = channel;
    if (this.request.prefetch > 0 && !this.ending) await channel.prefetch(this.request.prefetch);
    return channel;
  }

  private restored(): void {
    // One that is full already has begun, too.
    const hasPaused = this.channel?.isFull && this.channel.hasConsumed(this.queues);
    if (this.missing.length > 0 && !hasPaused) return this.timer.soon();
    this.timer.succeeded();
    this.unanswered = 0;
    this.refusedSince = undefined;
    if (!this.isReady) {
      this.isReady = true;
      clearTimeout(this.startTimer);
      this.settle.resolve();
    }
    if (!hasPaused) this.losses.restored();
  }

  private restoreFailed(line: Line, error: unknown): void {
    if (this.ending) return;
    const isAwaited = this.request.onRefused !== undefined && isHeldByOthers(error);
    const refusal = this.isReady || isAwaited ? undefined : refusalOf(error, this.queues);
    if (refusal) {
      this.settle.reject(refusal);
      void this.close();
      return;
    }
    this.startHindered(replyText(line.endedBy ?? error), error);
    this.noteRefusal(error);
    if (this.ending) return;
    if (error instanceof NoAnswer && this.channel?.isStuck) {
      this.unanswered += 1;
      return void this.renewChannel(this.channel, this.queues, replyText(error));
    }
    if (line.alive) this.losses.report(this.missing, replyText(error), error);
    // With a line that is gone the next one is awaited; it may be here already.
    if (line.alive || this.parts.supervisor.line) this.timer.later();
  }

  private async end(): Promise<void> {
    const cancelled = this.cancel();
    this.unlisten();
    await cancelled;
    // Whoever deletes the queues afterwards must not find them declared again.
    await within(goodbyeMs, this.declaring);
    const { channel } = this;
    this.channel = undefined;
    await channel?.close();
    this.parts.onEnded();
  }
}

function isBinding(declaration: Declaration): declaration is BindingDeclaration {
  return declaration.kind === 'binding';
}
