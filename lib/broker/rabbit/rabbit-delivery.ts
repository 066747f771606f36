import type { ConsumeMessage } from 'amqplib';
import type { Delivery, DeliveryProperties } from '../broker.js';

/** Where the verdict on a delivery goes: the channel it came by, and no other. */
export interface DeliveryChannel {
  ack(delivery: RabbitDelivery): boolean;
  reject(delivery: RabbitDelivery, requeue: boolean): boolean;
  /** So many bytes are held for it from now on. */
  holds(delivery: RabbitDelivery, bytes: number): void;
}

const nothing = new Uint8Array(0);

/** A message as RabbitMQ delivered it. */
export class RabbitDelivery implements Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly properties: DeliveryProperties;
  readonly deliveryTag: number;
  /** Whether it was reported that its channel is gone. */
  reportedLost = false;

  constructor(
    readonly queue: string,
    { fields, properties }: ConsumeMessage,
    public body: Uint8Array,
    readonly receivedAt: number,
    private readonly channel: DeliveryChannel,
  ) {
    this.exchange = fields.exchange;
    this.routingKey = fields.routingKey;
    this.redelivered = fields.redelivered;
    this.deliveryTag = fields.deliveryTag;
    this.properties = propertiesOf(properties);
  }

  release(weight: number): void {
    this.body = nothing;
    this.channel.holds(this, weight);
  }

  ack(): boolean {
    return this.channel.ack(this);
  }

  reject(requeue: boolean): boolean {
    return this.channel.reject(this, requeue);
  }
}

function propertiesOf(properties: ConsumeMessage['properties']): DeliveryProperties {
  const expiration: unknown = properties.expiration;
  return {
    contentType: properties.contentType,
    contentEncoding: properties.contentEncoding,
    expirationMs: typeof expiration === 'string' && /^\d{1,15}$/.test(expiration) ? Number(expiration) : undefined,
    headers: properties.headers ?? {},
  };
}
