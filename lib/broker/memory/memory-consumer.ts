import type { QueuedMessage } from './memory-message.js';
import type { MemoryQueue, QueueConsumer } from './memory-queue.js';

/** What a consumer tells its channel. */
export interface ConsumerChannel {
  received(consumer: MemoryConsumer, message: QueuedMessage): void;
  consumerLost(consumer: MemoryConsumer): void;
}

/** One consumer of one queue, with its own prefetch (RabbitMQ's `global=false`). */
export class MemoryConsumer implements QueueConsumer {
  private readonly unacknowledged = new Set<QueuedMessage>();

  constructor(
    readonly queue: MemoryQueue,
    /** 0: without limit. */
    private readonly prefetch: number,
    private readonly channel: ConsumerChannel,
  ) {}

  get hasRoom(): boolean {
    return this.prefetch === 0 || this.unacknowledged.size < this.prefetch;
  }

  take(message: QueuedMessage): void {
    this.unacknowledged.add(message);
    this.channel.received(this, message);
  }

  lost(): void {
    this.channel.consumerLost(this);
  }

  /** Ends the responsibility for messages; false where it had ended before. */
  release(message: QueuedMessage): boolean {
    return this.unacknowledged.delete(message);
  }

  giveBack(): void {
    const messages = [...this.unacknowledged];
    this.unacknowledged.clear();
    if (messages.length > 0) this.queue.putBack(messages);
  }
}
