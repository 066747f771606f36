import { Inject, Injectable, Logger } from '@nestjs/common';
import { EventChannel } from '../../events/event-channel.js';
import { ClosedError } from '../../errors/delivery.errors.js';
import { textWithCause } from '../../errors/text-of.js';
import type { HealthSnapshot } from '../../events/health-snapshot.js';
import { newCounters, type NotificationCounters } from '../../notify/listener/listener-counters.js';
import { NotificationListener } from '../../notify/listener/notification-listener.js';
import { logEvents } from '../shared/event-logger.js';
import { registrationOf } from './listener-registration.js';
import { isLoggedByNest } from './logged-errors.js';
import { LISTENER_LOGGER } from '../shared/nest.constants.js';
import { NOTIFICATION_OPTIONS, type NotificationModuleOptions } from '../notifications/notification-module-options.js';
import type { FoundListener } from './notification.explorer.js';
import {
  type ResolvedNotificationOptions,
  resolveNotificationOptions,
} from '../notifications/resolved-notification-options.js';
import { type BrokerLease, SharedBrokers } from '../module/shared-brokers.js';
import { waitAtStartup } from '../shared/startup-policy.js';

/**
 * All `@OnNotification()` methods of an application at work: one consumer for each queue. Injected by its
 * class, started and drained by `NotificationModule`.
 *
 * @hideconstructor
 * @publicApi
 */
@Injectable()
export class NotificationListeners {
  /** Everything that the listeners report, and their connection. */
  readonly events = new EventChannel();
  private readonly options: ResolvedNotificationOptions;
  private listener: NotificationListener | undefined;
  private lease: BrokerLease | undefined;
  private closing: Promise<void> | undefined;

  /** @throws InvalidTransportUrl */
  constructor(
    @Inject(NOTIFICATION_OPTIONS) options: NotificationModuleOptions,
    private readonly brokers: SharedBrokers,
  ) {
    this.options = resolveNotificationOptions(options);
    if (this.options.logEvents)
      logEvents(this.events, new Logger(LISTENER_LOGGER), (error) => (isLoggedByNest(error) ? 'debug' : undefined));
  }

  /** The consumed queues. */
  get queues(): readonly string[] {
    return this.listener?.queues ?? [];
  }

  get counters(): Readonly<NotificationCounters> {
    return this.listener?.counters ?? newCounters();
  }

  /** How the listeners are right now; undefined where nobody listens. */
  get health(): HealthSnapshot | undefined {
    return this.listener?.health;
  }

  /**
   * Once; resolves when all queues are consumed, or as `startup` says.
   *
   * @throws ConfigurationError, PreconditionFailed, MessageDeliveryFailure, ClosedError
   * @internal
   */
  async start(found: readonly FoundListener[]): Promise<void> {
    if (this.closing) throw new ClosedError('listener');
    if (found.length === 0) return;
    try {
      await this.listen(found);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Stops without losing work, and keeps the connection: no new notifications, what has not begun goes back
   * to its queue, what runs ends, within `shutdownTimeoutMs`. Idempotent.
   */
  async drain(): Promise<void> {
    await this.listener?.drain();
  }

  /** Drains, and gives the connection back. Idempotent. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async listen(found: readonly FoundListener[]): Promise<void> {
    const { broker: brokerOptions, listener: options, startup = 'wait', startupTimeoutMs, transport } = this.options;
    this.lease = this.brokers.acquire(this.options.transportUrl, brokerOptions);
    const { broker } = this.lease;
    const registrations = found.map((each) => registrationOf(each, transport));
    const listener = new NotificationListener(broker, registrations, options);
    this.listener = listener;
    listener.events.subscribe((event) => this.events.emit(event));
    const giveUpMs = await waitAtStartup(broker, { startup, startupTimeoutMs });
    if (startup === 'background') this.startInBackground(listener);
    else await listener.start(giveUpMs);
  }

  /** Nobody waits for it: what prevents it is reported. */
  private startInBackground(listener: NotificationListener): void {
    listener.start().catch((error: unknown) => {
      if (error instanceof ClosedError) return;
      const message = `The listeners could not be started: ${textWithCause(error)}`;
      this.events.emit({ type: 'start-failed', level: 'error', message, error });
    });
  }

  private async end(): Promise<void> {
    await this.drain();
    await this.lease?.release();
  }
}
