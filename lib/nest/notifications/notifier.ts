import { Logger } from '@nestjs/common';
import { healthOf, type HealthSnapshot } from '../../events/health-snapshot.js';
import { within } from '../../events/within.js';
import { notifierNeedsBroker } from '../../notify/notifier/driver-set.js';
import { NotifierCore } from '../../notify/notifier/notifier-core.js';
import { logEvents } from '../shared/event-logger.js';
import { NOTIFIER_LOGGER } from '../shared/nest.constants.js';
import type { NotificationModuleOptions } from './notification-module-options.js';
import { type ResolvedNotificationOptions, resolveNotificationOptions } from './resolved-notification-options.js';
import type { BrokerLease, SharedBrokers } from '../module/shared-brokers.js';
import { waitAtStartup } from '../shared/startup-policy.js';

/**
 * Sends notifications: injected by its class, made and closed by `NotificationModule`.
 *
 * Safe not to await: what cannot be sent is logged and reported in any case. In a handler or listener the
 * request context goes along by itself, reduced to what may be told everybody.
 *
 * @example
 * ```ts
 * constructor(private readonly notifier: Notifier) {}
 *
 * await this.notifier.info('compute.instance.create.end', { instance_id: id });
 * await this.notifier.error('compute.instance.create.error', { instance_id: id }, { context });
 * await this.notifier.prepare({ publisherId: 'api.host1', retry: 0 }).sample('identity.usage', usage);
 * ```
 *
 * @publicApi
 */
export class Notifier extends NotifierCore {
  private closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    private readonly lease: BrokerLease | undefined,
    private readonly moduleOptions: ResolvedNotificationOptions,
  ) {
    super(lease?.broker, moduleOptions.notifier);
    if (moduleOptions.logEvents) logEvents(this.events, new Logger(NOTIFIER_LOGGER));
  }

  /**
   * On the application's connections; on none, where no driver needs one.
   *
   * @throws InvalidTransportUrl, ConfigurationError
   * @internal
   */
  static open(options: NotificationModuleOptions, brokers: SharedBrokers): Notifier {
    const settings = resolveNotificationOptions(options);
    if (!notifierNeedsBroker(settings.notifier)) return new Notifier(undefined, settings);
    const lease = brokers.acquire(settings.transportUrl, settings.broker);
    try {
      return new Notifier(lease, settings);
    } catch (error) {
      void lease.release();
      throw error;
    }
  }

  /** How this notifier is right now; it consumes nothing. Undefined where no driver needs a connection. */
  get health(): HealthSnapshot | undefined {
    return this.lease && healthOf(this.lease.broker.state, null, this.closing !== undefined);
  }

  /**
   * Resolves when the bus is reachable, or as `startup` says. Not needed: what is sent before is kept.
   *
   * @throws MessageDeliveryFailure, ClosedError
   */
  async connect(): Promise<void> {
    const { startup = 'background', startupTimeoutMs } = this.moduleOptions;
    if (this.lease) await waitAtStartup(this.lease.broker, { startup, startupTimeoutMs });
  }

  /** Waits up to `flushTimeoutMs` for what is not out yet; the rest rejects with `ClosedError`. Idempotent. */
  override close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    await within(this.moduleOptions.flushTimeoutMs, this.flushed());
    await this.outbox.close();
    await this.lease?.release();
  }
}
