import type { MessageBroker } from '../../broker/broker.js';
import { ClosedError } from '../../errors/delivery.errors.js';
import { howSendingFailed } from '../../errors/oslo-messaging.error.js';
import { textWithCause } from '../../errors/text-of.js';
import { attachHooks } from '../../events/around-hook.js';
import { EventChannel } from '../../events/event-channel.js';
import { flushed } from '../../events/flushed.js';
import { newMessageId } from '../../wire/message-id.js';
import type { Notification, NotificationPriority } from '../../wire/notification.js';
import { timestampOfNow } from '../../wire/notification-timestamp.js';
import { redactedContext } from '../../wire/redacted-context.js';
import { type RequestContext, requestIdOf } from '../../wire/request-context.js';
import { shown } from '../../wire/shown.js';
import { driversOf } from './driver-set.js';
import type { NotificationDriver } from '../drivers/notification-driver.js';
import { checkTimeout, type ResolvedNotifierOptions } from './notifier-options.js';
import { notifyAll } from './notify-all.js';

/** One notification as a notifier was given it. */
export interface OutgoingNotification {
  readonly priority: NotificationPriority;
  readonly eventType: string;
  readonly payload: unknown;
  readonly context: object | undefined;
  readonly publisherId: string;
  readonly retry: number;
  /** Seconds. */
  readonly timeout: number | null;
}

/** Parts that all notifiers prepared from one share: the drivers, and what is not out yet. */
export class NotificationOutbox {
  readonly events: EventChannel;
  private readonly drivers: readonly NotificationDriver[];
  private readonly unsent = new Set<(error: unknown) => void>();
  private readonly whenFlushed = new Set<() => void>();
  private readonly detachHooks: () => void;
  private state: 'closed' | 'open' = 'open';

  /** @throws ConfigurationError */
  constructor(
    private readonly broker: MessageBroker | undefined,
    readonly options: ResolvedNotifierOptions,
  ) {
    this.drivers = driversOf(options, broker);
    this.events = broker?.events.scope() ?? new EventChannel();
    const { events, unsent } = this;
    this.detachHooks = attachHooks(options.hooks, {
      kind: 'notifier',
      bus: broker,
      events,
      get pending() {
        return unsent.size;
      },
    });
  }

  get pending(): number {
    return this.unsent.size;
  }

  /**
   * Encoded at once, so in the order of the calls, and untouched by what becomes of the payload; which is not
   * kept here until it is out: no closure that lives as long may see `outgoing`.
   */
  send(outgoing: OutgoingNotification): Promise<void> {
    const { priority, eventType } = outgoing;
    const requestId = requestIdOf((outgoing.context ?? {}) as RequestContext);
    const sent = this.state === 'closed' ? Promise.reject(new ClosedError('notifier')) : this.unlessClosed(outgoing);
    sent.catch((error: unknown) => this.reportFailed(priority, eventType, requestId, error));
    return sent;
  }

  flushed(): Promise<void> {
    return this.unsent.size === 0 ? Promise.resolve() : new Promise((resolve) => void this.whenFlushed.add(resolve));
  }

  /** Notifications that are not out yet go out first, as long as they can. */
  async flushAndClose(): Promise<void> {
    this.state = 'closed';
    await flushed(this.flushed(), this.broker ?? { state: 'connected', events: this.events });
    await this.close();
  }

  /** Notifications that are not out yet may still go out, with the broker, but nobody waits for them. */
  async close(): Promise<void> {
    this.state = 'closed';
    for (const reject of this.unsent) reject(new ClosedError('notifier', { unconfirmed: true }));
    await this.flushedOrClosed();
    this.detachHooks();
    this.events.detach();
  }

  private start(outgoing: OutgoingNotification): Promise<void> {
    const timeout = checkTimeout(outgoing.timeout);
    const giveUpMs = timeout === null ? undefined : timeout * 1000;
    return notifyAll(this.drivers, this.notificationOf(outgoing), { retry: outgoing.retry, giveUpMs });
  }

  private unlessClosed(outgoing: OutgoingNotification): Promise<void> {
    const { promise, resolve, reject } = withResolvers();
    this.unsent.add(reject);
    try {
      this.start(outgoing).then(
        () => this.ended(reject, resolve),
        (error: unknown) => this.ended(reject, () => reject(error)),
      );
    } catch (error) {
      this.ended(reject, () => reject(error));
    }
    return promise;
  }

  private notificationOf({ priority, eventType, payload, publisherId, ...rest }: OutgoingNotification): Notification {
    const { serializer, defaultContext } = this.options;
    const context = rest.context ?? defaultContext();
    return {
      messageId: newMessageId(),
      publisherId,
      eventType,
      priority,
      payload: serializer ? serializer.serializeEntity(context, payload) : payload,
      timestamp: timestampOfNow(),
      // Reduced last: a context may be an instance of the user's own class until then.
      context: redactedContext(serializer ? serializer.serializeContext(context) : (context as RequestContext)),
    };
  }

  private ended(unsent: (error: unknown) => void, settle: () => void): void {
    settle();
    this.unsent.delete(unsent);
    if (this.unsent.size === 0) this.wake();
  }

  /** Their promises have been rejected; what a driver still does with them is nobody's concern. */
  private flushedOrClosed(): Promise<void> {
    this.unsent.clear();
    this.wake();
    return new Promise((resolve) => setImmediate(resolve));
  }

  private wake(): void {
    for (const wake of this.whenFlushed) wake();
    this.whenFlushed.clear();
  }

  private reportFailed(
    priority: NotificationPriority,
    eventType: string,
    requestId: string | undefined,
    error: unknown,
  ): void {
    const target = this.options.topics.map((topic) => `${this.options.exchange}/${topic}.${priority}`).join(', ');
    const what = requestId === undefined ? eventType : `${eventType} (${shown(requestId)})`;
    const message = `The notification ${what} to ${target} ${howSendingFailed(error)}: ${textWithCause(error)}`;
    this.events.emit({ type: 'send-failed', level: 'error', kind: 'notification', target, requestId, message, error });
  }
}

/** Apart, so that the callbacks see nothing else. */
function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
