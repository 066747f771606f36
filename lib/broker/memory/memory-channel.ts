import type { Delivery } from '../broker.js';
import { MemoryConsumer, type ConsumerChannel } from './memory-consumer.js';
import { MemoryDelivery, type DeliveryChannel, type SentMessage } from './memory-delivery.js';
import type { MemoryLine } from './memory-line.js';
import type { QueuedMessage } from './memory-message.js';
import type { MemoryQueue } from './memory-queue.js';

/** What comes out of a channel. */
export interface ChannelListener {
  /** Once per tick. */
  onDeliveries(deliveries: readonly Delivery[]): void;
  /** The queue is gone; the channel lives on. */
  onConsumerLost(queue: string): void;
  /** A verdict on a delivery, told once: the message comes again. */
  onTooLate(queue: string): void;
}

interface Verdict {
  delivery: MemoryDelivery;
  requeue: boolean;
}

/**
 * Consumers with their unacknowledged deliveries.
 *
 * Deliveries leave, and acknowledgements take effect, in a later turn of the event loop than what
 * caused them: no foreign code runs inside a publish, and a requeue loop starves nobody.
 */
export class MemoryChannel implements ConsumerChannel, DeliveryChannel {
  private open = true;
  private readonly consumers = new Set<MemoryConsumer>();
  /** Cancelled or lost ones, whose deliveries can still be acknowledged. */
  private readonly ended = new Set<MemoryConsumer>();
  private outbox: SentMessage[] = [];
  private gathered: Verdict[] = [];
  private readonly settled = new WeakSet<MemoryDelivery>();
  /** Written, but not read by the bus yet. */
  private readonly underWay: (readonly Verdict[])[] = [];

  constructor(
    private readonly prefetch: number,
    private readonly line: MemoryLine,
    private readonly listener: ChannelListener,
  ) {}

  consume(queue: MemoryQueue): void {
    const consumer = new MemoryConsumer(queue, this.prefetch, this);
    this.consumers.add(consumer);
    queue.addConsumer(consumer);
  }

  received(consumer: MemoryConsumer, message: QueuedMessage): void {
    this.outbox.push({ consumer, message, redelivered: message.redelivered });
    if (this.outbox.length === 1) setImmediate(() => this.deliver());
  }

  consumerLost(consumer: MemoryConsumer): void {
    this.consumers.delete(consumer);
    this.ended.add(consumer);
    this.listener.onConsumerLost(consumer.queue.name);
  }

  ack(delivery: MemoryDelivery): boolean {
    if (!this.settle(delivery)) return false;
    this.gathered.push({ delivery, requeue: false });
    if (this.gathered.length === 1) setImmediate(() => this.flush());
    return true;
  }

  reject(delivery: MemoryDelivery, requeue: boolean): boolean {
    if (!this.settle(delivery)) return false;
    this.gathered.push({ delivery, requeue });
    this.flush();
    return true;
  }

  flush(): void {
    if (!this.open || this.gathered.length === 0) return;
    this.underWay.push(this.gathered);
    this.gathered = [];
    this.line.up.pass(() => {
      const verdicts = this.underWay.shift();
      if (verdicts) apply(verdicts);
    });
  }

  /** Resolves when what was on its way has been delivered. */
  async cancel(): Promise<void> {
    try {
      await this.line.ask(() => this.cancelConsumers());
      await new Promise((resolve) => setImmediate(resolve));
      await this.line.ask(() => undefined);
    } catch {
      // Nothing is delivered over a line that was cut.
    }
  }

  /** What was not acknowledged goes back; nothing that was delivered can be acknowledged any more. */
  close(): void {
    this.flush();
    for (const verdicts of this.underWay.splice(0)) apply(verdicts);
    this.lose();
  }

  /** As `close`, but the bus has not read what was under way. */
  lose(): void {
    if (!this.open) return;
    this.open = false;
    this.underWay.length = 0;
    this.gathered = [];
    this.outbox = [];
    const consumers = [...this.ended, ...this.consumers];
    this.cancelConsumers();
    this.ended.clear();
    for (const consumer of consumers) consumer.giveBack();
  }

  private settle(delivery: MemoryDelivery): boolean {
    if (this.settled.has(delivery)) return false;
    this.settled.add(delivery);
    if (!this.open) this.listener.onTooLate(delivery.queue);
    return this.open;
  }

  private cancelConsumers(): void {
    for (const consumer of this.consumers) {
      this.ended.add(consumer);
      consumer.queue.removeConsumer(consumer);
    }
    this.consumers.clear();
  }

  private deliver(): void {
    const sent = this.outbox;
    this.outbox = [];
    if (!this.open || sent.length === 0) return;
    this.line.down.pass(() => {
      if (!this.open) return;
      this.listener.onDeliveries(sent.map((one) => new MemoryDelivery(one, this)));
    });
  }
}

/** At the bus. */
function apply(verdicts: readonly Verdict[]): void {
  const queues = new Set<MemoryQueue>();
  for (const { delivery, requeue } of verdicts) {
    const { queue } = delivery.consumer;
    const queued = delivery.settle();
    if (!queued) continue;
    if (requeue) queue.putBack([queued]);
    queues.add(queue);
  }
  for (const queue of queues) queue.serve();
}
