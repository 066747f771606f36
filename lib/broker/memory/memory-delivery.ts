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

const nothing = new Uint8Array(0);

/** A message that has come by one consumer. */
export class MemoryDelivery implements Delivery {
  readonly consumer: MemoryConsumer;
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: DeliveryProperties;
  readonly redelivered: boolean;
  readonly receivedAt = performance.now();
  body: Uint8Array;
  private queued: QueuedMessage | undefined;

  constructor(
    { consumer, message, redelivered }: SentMessage,
    private readonly channel: DeliveryChannel,
  ) {
    const { body, exchange, routingKey, properties } = message.message;
    this.consumer = consumer;
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.properties = properties;
    this.body = body;
    this.queued = message;
    this.redelivered = redelivered;
  }

  get queue(): string {
    return this.consumer.queue.name;
  }

  /** The bus keeps the bytes until the verdict. */
  release(): void {
    this.body = nothing;
  }

  /** Ends the responsibility of its consumer, and keeps nothing of the message; undefined where it had ended before. */
  settle(): QueuedMessage | undefined {
    const { queued } = this;
    this.queued = undefined;
    return queued && this.consumer.release(queued) ? queued : undefined;
  }

  ack(): boolean {
    return this.channel.ack(this);
  }

  reject(requeue: boolean): boolean {
    return this.channel.reject(this, requeue);
  }
}
