import type { Delivery } from '../../broker/broker.js';
import type { ReceivedNotification } from '../../wire/notification.js';
import { parseTimestamp } from '../../wire/notification-timestamp.js';
import type { RequestContext } from '../../wire/request-context.js';

/**
 * The answers of a listener, as in Python: nothing counts as handled.
 *
 * @publicApi
 */
export const NotificationResult = { HANDLED: 'handled', REQUEUE: 'requeue' } as const;

/** @publicApi */
export type NotificationResult = (typeof NotificationResult)[keyof typeof NotificationResult];

/**
 * The queue and address of a notification.
 *
 * @publicApi
 */
export type NotificationOrigin = Pick<Delivery, 'exchange' | 'queue' | 'redelivered' | 'routingKey'>;

/**
 * One notification as one listener sees it.
 *
 * @publicApi
 */
export class IncomingNotification<Payload = unknown> {
  /** In lower case. */
  readonly priority: string;
  readonly eventType?: string;
  readonly publisherId?: string;
  readonly messageId?: string;
  readonly uniqueId?: string;
  /** The timestamp as it was sent. */
  readonly sentAt?: string;
  /** Deserialized; shared by all listeners of the message, so not to be changed. */
  readonly payload: Payload;
  readonly requestContext: RequestContext;
  private outcome: NotificationResult = NotificationResult.HANDLED;

  constructor(
    received: ReceivedNotification,
    /** Its queue and address. */
    readonly origin: NotificationOrigin,
    /** How often it has gone back to its queue from this process. */
    readonly attempts: number,
  ) {
    this.priority = received.priority;
    this.eventType = received.eventType;
    this.publisherId = received.publisherId;
    this.messageId = received.messageId;
    this.uniqueId = received.uniqueId;
    this.sentAt = received.timestamp;
    this.payload = received.payload as Payload;
    this.requestContext = received.context;
  }

  /** When it was made, by the publisher's clock; absent where it cannot be understood. */
  get timestamp(): Date | undefined {
    return this.sentAt === undefined ? undefined : parseTimestamp(this.sentAt);
  }

  /** Delivered before, to us or to another listener, and not acknowledged then. */
  get redelivered(): boolean {
    return this.origin.redelivered;
  }

  /** As Python hands them to endpoints and filters. */
  get metadata(): { message_id?: string; timestamp?: string } {
    return { message_id: this.messageId, timestamp: this.sentAt };
  }

  /** The same as answering `NotificationResult.REQUEUE`; in a batch, for this notification alone. */
  requeue(): void {
    this.outcome = NotificationResult.REQUEUE;
  }

  /** True when `requeue` was called. */
  get requeueWanted(): boolean {
    return this.outcome === NotificationResult.REQUEUE;
  }
}
