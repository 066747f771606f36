import type { EventChannel } from '../../events/event-channel.js';
import type { ConsumeRequest, Subscription } from '../broker.js';
import type { MemoryBus } from './memory-bus.js';
import { MemoryChannel } from './memory-channel.js';
import type { MemoryLine } from './memory-line.js';
import { ProcessHold } from './process-hold.js';

/** After a failed attempt to consume again, e.g. because somebody declared the queue otherwise meanwhile. */
const restoreIntervalMs = 100;

export interface SubscriptionParts {
  bus: MemoryBus;
  line: MemoryLine;
  events: EventChannel;
  onClosed(subscription: MemorySubscription): void;
}

/** The consumers of one request: one channel per time the line is up. */
export class MemorySubscription implements Subscription {
  private channel: MemoryChannel | undefined;
  private ending = false;
  private readonly consumed = new Set<string>();
  private lost: string[] = [];
  private retry: NodeJS.Timeout | undefined;
  private readonly hold = new ProcessHold();

  constructor(
    private readonly request: ConsumeRequest,
    private readonly parts: SubscriptionParts,
  ) {}

  get queues(): readonly string[] {
    return this.request.queues;
  }

  get consuming(): boolean {
    return !this.ending && this.queues.every((queue) => this.consumed.has(queue));
  }

  /**
   * Declares and consumes whatever is not being consumed.
   *
   * @throws PreconditionFailed @throws MessageDeliveryFailure
   */
  open(): void {
    const { bus, line } = this.parts;
    bus.declare(this.request.topology);
    this.channel ??= new MemoryChannel(this.request.prefetch, line, {
      onDeliveries: (deliveries) => this.request.onDeliveries(deliveries, this),
      onConsumerLost: (queue) => this.consumerLost(queue),
      onTooLate: (queue) => this.ackLost(queue),
    });
    for (const queue of this.queues) {
      if (this.consumed.has(queue)) continue;
      bus.consume(queue, this.channel);
      this.consumed.add(queue);
    }
  }

  /** The line was cut. */
  interrupted(): void {
    const { channel } = this;
    if (!channel) return;
    this.forgetChannel();
    channel.lose();
    this.request.onInterrupted?.();
  }

  /** The line is up again. */
  resume(): void {
    if (!this.ending) this.parts.line.up.pass(() => this.restore());
  }

  /** A message of ours has found no queue, or not even its exchange: our bindings may have gone with that. */
  notRouted(exchange: string): void {
    if (!this.consuming || this.retry || this.isBoundTo(exchange)) return;
    const { queues } = this;
    const message = `Not consuming ${queues.join(', ')}: exchange '${exchange}' has lost their bindings`;
    this.parts.events.emit({ type: 'consumers-lost', level: 'warn', message, queues });
    this.restore(queues);
  }

  private isBoundTo(exchange: string): boolean {
    const { bindings } = this.parts.bus;
    return this.request.topology.every(
      (wanted) =>
        wanted.kind !== 'binding' ||
        wanted.exchange !== exchange ||
        bindings.some(
          (bound) =>
            bound.exchange === exchange && bound.queue === wanted.queue && bound.routingKey === wanted.routingKey,
        ),
    );
  }

  flush(written?: (left: boolean) => void): void {
    this.channel?.flush();
    written?.(true);
  }

  async cancel(): Promise<void> {
    this.ending = true;
    clearTimeout(this.retry);
    await this.channel?.cancel();
  }

  close(): Promise<void> {
    this.ending = true;
    this.channel?.close();
    this.forgetChannel();
    this.hold.release();
    this.parts.onClosed(this);
    return Promise.resolve();
  }

  private forgetChannel(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.channel = undefined;
    this.consumed.clear();
  }

  private ackLost(queue: string): void {
    const message = `Too late for an ack: the channel is gone, a message of queue '${queue}' will come again`;
    this.parts.events.emit({ type: 'ack-lost', level: 'warn', message, queue });
  }

  private consumerLost(queue: string): void {
    this.consumed.delete(queue);
    this.lost.push(queue);
    if (this.lost.length === 1) setImmediate(() => this.restoreLost());
  }

  private restoreLost(): void {
    const queues = this.lost;
    this.lost = [];
    if (this.ending) return;
    this.parts.events.emit({
      type: 'consumers-lost',
      level: 'warn',
      message: `Consumers cancelled by the broker: ${queues.join(', ')}`,
      queues,
    });
    if (this.channel) this.restore(queues);
  }

  private restore(lost: readonly string[] = []): void {
    if (this.ending) return;
    try {
      this.open();
    } catch (error) {
      return this.retryLater(lost, error);
    }
    if (lost.length === 0) return;
    this.parts.events.emit({
      type: 'consumers-restored',
      level: 'log',
      message: `Consuming again: ${lost.join(', ')}`,
      queues: lost,
    });
  }

  private retryLater(lost: readonly string[], error: unknown): void {
    const missing = this.queues.filter((queue) => !this.consumed.has(queue));
    if (lost.length === 0) {
      const message = `Cannot consume again: ${missing.join(', ')}`;
      this.parts.events.emit({ type: 'consumers-lost', level: 'error', message, queues: missing, error });
    }
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.restore(lost.length > 0 ? lost : missing);
    }, restoreIntervalMs);
    this.retry.unref();
  }
}
