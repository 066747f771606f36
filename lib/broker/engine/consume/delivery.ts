import type { InContext } from '../../../events/handler-scope.js';
import type { Delivery, DeliveryProperties } from '../../broker.js';
import type { LinkDelivery } from '../../link.js';

/** The place where a delivery is settled: the channel it came by, and no other. */
export interface DeliveryChannel {
  ack(delivery: ReceivedMessage): boolean;
  reject(delivery: ReceivedMessage, requeue: boolean): boolean;
  /** So many bytes are held for it from now on. */
  holds(delivery: ReceivedMessage, bytes: number): void;
}

const nothing = new Uint8Array(0);

/** A message as the broker delivered it. */
export class ReceivedMessage implements Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly properties: DeliveryProperties;
  readonly deliveryTag: number;
  readonly inContext: InContext | undefined;
  /** True when it was reported that its channel is gone. */
  reportedLost = false;

  constructor(
    readonly queue: string,
    received: LinkDelivery,
    public body: Uint8Array,
    readonly receivedAt: number,
    private readonly channel: DeliveryChannel,
  ) {
    this.exchange = received.exchange;
    this.routingKey = received.routingKey;
    this.redelivered = received.redelivered;
    this.deliveryTag = received.deliveryTag;
    this.inContext = received.inContext;
    this.properties = propertiesOf(received);
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

function propertiesOf({ contentType, contentEncoding, expiration, headers }: LinkDelivery): DeliveryProperties {
  return {
    contentType,
    contentEncoding,
    expirationMs: expiration !== undefined && /^\d{1,15}$/.test(expiration) ? Number(expiration) : undefined,
    headers,
  };
}
