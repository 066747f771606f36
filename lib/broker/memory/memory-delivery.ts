import type { Delivery, DeliveryProperties } from '../broker.js';
import type { MemoryConsumer } from './memory-consumer.js';
import type { QueuedMessage } from './memory-message.js';

/** Where the verdict on a delivery goes: the channel it came by, and no other. */
export interface DeliveryChannel {
  ack(delivery: MemoryDelivery): boolean;
  reject(delivery: MemoryDelivery, requeue: boolean): boolean;
}

/** What the bus has sent to a consumer. */
export interface SentMessage {
  consumer: MemoryConsumer;
  message: QueuedMessage;
  redelivered: boolean;
}

/** A message that has come by one consumer. */
export class MemoryDelivery implements Delivery {
  readonly consumer: MemoryConsumer;
  readonly queued: QueuedMessage;
  readonly redelivered: boolean;
  readonly receivedAt = performance.now();

  constructor(
    { consumer, message, redelivered }: SentMessage,
    private readonly channel: DeliveryChannel,
  ) {
    this.consumer = consumer;
    this.queued = message;
    this.redelivered = redelivered;
  }

  get queue(): string {
    return this.consumer.queue.name;
  }

  get exchange(): string {
    return this.queued.message.exchange;
  }

  get routingKey(): string {
    return this.queued.message.routingKey;
  }

  get properties(): DeliveryProperties {
    return this.queued.message.properties;
  }

  get body(): Uint8Array {
    return this.queued.message.body;
  }

  /** The bus keeps it until it is acknowledged, in this process. */
  release(): void {}

  ack(): boolean {
    return this.channel.ack(this);
  }

  reject(requeue: boolean): boolean {
    return this.channel.reject(this, requeue);
  }
}
