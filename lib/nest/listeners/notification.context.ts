import { BaseRpcContext } from '@nestjs/microservices';
import type { IncomingNotification } from '../../notify/listener/incoming-notification.js';
import type { RequestContext } from '../../wire/request-context.js';

/**
 * One notification, as lists of a batch have them.
 *
 * @publicApi
 */
export type OsloNotification<Payload = unknown> = IncomingNotification<Payload>;

const NOBODY: RequestContext = Object.freeze({});

/**
 * The context of a notification, given to a listener beside the payload, as `@Ctx()`, and as `REQUEST` where it is request-scoped.
 *
 * Of a batch, which is nobody's in particular, the request context is empty and the other facts are those
 * of its first notification.
 *
 * @publicApi
 */
export class OsloNotificationContext<Payload = unknown> extends BaseRpcContext<readonly OsloNotification<Payload>[]> {
  constructor(
    /** One, unless it is a batch. */
    readonly notifications: readonly OsloNotification<Payload>[],
    readonly isBatch: boolean,
  ) {
    super(notifications);
  }

  /** The first one. */
  get notification(): OsloNotification<Payload> {
    return this.notifications[0]!;
  }

  /** In lower case. */
  get priority(): string {
    return this.notification.priority;
  }

  get eventType(): string | undefined {
    return this.notification.eventType;
  }

  get publisherId(): string | undefined {
    return this.notification.publisherId;
  }

  get messageId(): string | undefined {
    return this.notification.messageId;
  }

  /** When it was made, by the publisher's clock; absent where it cannot be understood. */
  get timestamp(): Date | undefined {
    return this.notification.timestamp;
  }

  /** The timestamp as it was sent. */
  get sentAt(): string | undefined {
    return this.notification.sentAt;
  }

  /** The request context of the sender: user, project, request id … */
  get requestContext(): RequestContext {
    return this.isBatch ? NOBODY : this.notification.requestContext;
  }

  /** Delivered before, to us or to another listener, and not acknowledged then. */
  get redelivered(): boolean {
    return this.notification.redelivered;
  }

  /** How often it has gone back to its queue from this process. */
  get attempts(): number {
    return this.notification.attempts;
  }

  /** The same as answering `NotificationResult.REQUEUE`; of a batch, all of it. Works with `allowRequeue` only. */
  requeue(): void {
    for (const notification of this.notifications) notification.requeue();
  }
}
