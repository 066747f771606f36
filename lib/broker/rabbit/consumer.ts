import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { OsloMessagingError } from '../../errors/oslo-messaging.error.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { ConsumeRequest, Delivery, Subscription } from '../broker.js';
import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import { ConsumeChannel, type ConsumeChannelObserver } from './consume-channel.js';
import type { ConnectionSupervisor } from './connection-supervisor.js';
import type { CheckedConsumer } from './consumer-check.js';
import type { Line } from './line.js';
import type { QueueInspector } from './queue-inspector.js';
import { RestoreTimer } from './restore-timer.js';
import { SilentQueues } from './silent-queues.js';

export interface ConsumerParts {
  supervisor: ConnectionSupervisor;
  events: EventChannel;
  inspector: QueueInspector;
  maxMessageBytes: number;
  onEnded(consumer: Consumer): void;
}

/** The consumers of one request: made again, under the same names and tags, as often as they are lost. */
export class Consumer implements CheckedConsumer, Subscription, ConsumeChannelObserver {
  /** Settles when all queues are consumed for the first time, or never will be. */
  readonly ready: Promise<void>;
  private readonly timer = new RestoreTimer(() => void this.restore());
  private readonly silence = new SilentQueues();
  private readonly unlisten: () => void;
  private channel: ConsumeChannel | undefined;
  private working = false;
  /** Grows with each attempt to consume: what was seen before is out of date. */
  private attempts = 0;
  private ending = false;
  private isReady = false;
  private lost = new Set<string>();
  private lastReason: string | undefined;
  private cancelling: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  private settle!: { resolve: () => void; reject: (error: Error) => void };

  constructor(
    private readonly request: ConsumeRequest,
    private readonly parts: ConsumerParts,
  ) {
    this.ready = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.unlisten = parts.supervisor.listen({ lineUp: () => void this.restore() });
    void this.restore();
  }

  get queues(): readonly string[] {
    return this.request.queues;
  }

  get consuming(): boolean {
    return !this.ending && this.missing.length === 0;
  }

  flush(written?: () => void): void {
    this.channel?.flush();
    // amqplib hands frames to the socket in the next turn: then what is called in the turn after comes behind them.
    if (written) process.nextTick(() => setImmediate(written));
  }

  cancel(): Promise<void> {
    this.ending = true;
    this.timer.stop();
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
  async verify(): Promise<void> {
    const { channel, attempts } = this;
    if (this.working || !this.consuming || !channel) return;
    const { forgotten, silent } = await this.deafTo(channel);
    if (this.working || this.attempts !== attempts || !this.consuming) return;
    if (silent.length > 0) return this.renewChannel(channel, silent);
    if (forgotten.length === 0) return this.renewBindings(channel.line);
    const goodbyes = forgotten.map((queue) => channel.forget(queue));
    this.reportLost(forgotten, 'the broker does not know our consumers any more');
    await Promise.all(goodbyes);
    if (!this.ending) this.timer.soon();
  }

  onDeliveries(deliveries: readonly Delivery[]): void {
    this.guarded(() => this.request.onDeliveries(deliveries, this));
  }

  consumerCancelled(channel: ConsumeChannel, queue: string): void {
    if (this.channel !== channel || this.ending) return;
    this.reportLost([queue], 'cancelled by the broker');
    this.timer.soon();
  }

  channelLost(channel: ConsumeChannel, error: Error | undefined): void {
    if (this.channel !== channel) return;
    this.channel = undefined;
    if (error && this.isReady && !this.ending) this.reportLost(this.queues, replyText(error));
    this.guarded(() => this.request.onInterrupted?.());
    if (error) this.timer.soon();
  }

  private async deafTo(channel: ConsumeChannel): Promise<{ forgotten: string[]; silent: string[] }> {
    const deaf = { forgotten: [] as string[], silent: [] as string[] };
    for (const queue of this.queues) {
      const seen = await this.parts.inspector.inspect(channel.line, queue);
      if (!seen || seen.consumers === 0) deaf.forgotten.push(queue);
      else if (this.silence.isSilent(queue, seen, channel)) deaf.silent.push(queue);
    }
    return deaf;
  }

  /** The broker takes back what it believes to be with us, and delivers it again. */
  private async renewChannel(channel: ConsumeChannel, silent: readonly string[]): Promise<void> {
    this.channel = undefined;
    this.reportLost(silent, 'messages wait and none is delivered');
    const closed = channel.close();
    this.guarded(() => this.request.onInterrupted?.());
    await closed;
    if (!this.ending) this.timer.soon();
  }

  /** An exchange that was deleted takes the bindings along, and leaves the consumers. */
  private async renewBindings(line: Line): Promise<void> {
    const { topology } = this.request;
    if (!topology.some(({ kind }) => kind === 'binding')) return;
    try {
      await line.declarer.declare(topology);
    } catch (error) {
      if (line.alive) this.reportLost(this.queues, `they cannot be bound again: ${replyText(error)}`, error);
    }
  }

  private get missing(): readonly string[] {
    return this.queues.filter((queue) => !this.channel?.isConsuming(queue));
  }

  /** Consumes what is not consumed; where that fails, again later, for as long as there is a line. */
  private async restore(): Promise<void> {
    const { line } = this.parts.supervisor;
    if (this.working || this.ending || !line) return;
    this.working = true;
    this.attempts++;
    try {
      await this.consumeMissing(line);
      this.working = false;
      if (!this.ending) this.restored();
    } catch (error) {
      this.working = false;
      this.restoreFailed(line, error);
    }
  }

  private async consumeMissing(line: Line): Promise<void> {
    const channel = this.channel ?? (await this.openChannel(line));
    if (this.ending) return;
    await line.declarer.declare(this.request.topology);
    for (const queue of this.missing) {
      if (this.ending) return;
      await channel.consume(queue, String(this.queues.indexOf(queue) + 1));
    }
  }

  private async openChannel(line: Line): Promise<ConsumeChannel> {
    const { events, maxMessageBytes } = this.parts;
    const channel = await ConsumeChannel.open(line, this, events, maxMessageBytes);
    // Closed meanwhile: nobody else knows of it.
    if (this.closing) await channel.close();
    // Known before anything can fail on it, so that its loss is noticed.
    else if (channel.isAlive) this.channel = channel;
    if (this.request.prefetch > 0 && !this.ending) await channel.prefetch(this.request.prefetch);
    return channel;
  }

  private restored(): void {
    if (this.missing.length > 0) return this.timer.soon();
    this.timer.succeeded();
    this.lastReason = undefined;
    if (!this.isReady) {
      this.isReady = true;
      this.settle.resolve();
    }
    if (this.lost.size === 0) return;
    const queues = [...this.lost];
    this.lost.clear();
    const message = `Consuming again: ${queues.join(', ')}`;
    this.parts.events.emit({ type: 'consumers-restored', level: 'log', message, queues });
  }

  private restoreFailed(line: Line, error: unknown): void {
    if (this.ending) return;
    const refusal = this.isReady ? undefined : refusalOf(error, this.queues);
    if (refusal) {
      this.settle.reject(refusal);
      void this.close();
      return;
    }
    if (line.alive) this.reportLost(this.missing, replyText(error), error);
    // With a line that is gone the next one is awaited; it may be here already.
    if (line.alive || this.parts.supervisor.line) this.timer.later();
  }

  private async end(): Promise<void> {
    const cancelled = this.cancel();
    this.unlisten();
    await cancelled;
    const { channel } = this;
    this.channel = undefined;
    await channel?.close();
    this.parts.onEnded(this);
  }

  /** Callbacks promise not to throw; thrown on, it would cost the connection. */
  private guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      const queue = this.queues.join(', ');
      const message = `Taking deliveries of ${queue} failed: ${replyText(error)}`;
      this.parts.events.emit({ type: 'message-rejected', level: 'error', message, queue, error });
    }
  }

  /** Each reason once, however often it is met. */
  private reportLost(queues: readonly string[], reason: string, error?: unknown): void {
    for (const queue of queues) this.lost.add(queue);
    const text = `Not consuming ${queues.join(', ')}: ${reason}`;
    if (text === this.lastReason) return;
    this.lastReason = text;
    this.parts.events.emit({ type: 'consumers-lost', level: 'warn', message: text, queues, error });
  }
}

/** What will not pass by trying again: the first `consume` ends with it. */
function refusalOf(error: unknown, queues: readonly string[]): Error | undefined {
  if (error instanceof OsloMessagingError) return error;
  const code = replyCode(error);
  if (code !== ReplyCode.accessRefused && code !== ReplyCode.preconditionFailed) return undefined;
  return new MessageDeliveryFailure(`${queues.join(', ')} cannot be consumed: ${replyText(error)}`, { cause: error });
}
