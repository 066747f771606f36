import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import type { NotificationPriority } from '../../wire/notification.js';
import type { NotificationOutbox } from './notification-outbox.js';
import { checkRetry, checkTimeout } from './notifier-options.js';

/**
 * Options of one notification, beside its payload.
 *
 * @publicApi
 */
export interface NotifyOptions {
  /** As the serializer takes it, or plain data. Reduced to what may be told everybody: no token, no keys that oslo.context does not send. */
  context?: object;
  /** Seconds. */
  timeout?: number | null;
}

/**
 * Settings that `prepare` changes. An omitted field is inherited, an explicit `null` resets it to the default.
 *
 * @publicApi
 */
export interface PrepareNotifierOptions {
  publisherId?: string | null;
  retry?: number | null;
  /** Seconds. */
  timeout?: number | null;
}

/** A notifier's settings with every field decided. */
export interface NotifierSettings {
  readonly publisherId: string;
  readonly retry: number;
  readonly timeout: number | null;
}

/**
 * A notifier with its settings decided: what `prepare` returns.
 *
 * Each method resolves when all drivers are done with the notification: the messaging drivers, when the
 * broker has confirmed it. Safe not to await: a failure is reported in any case.
 *
 * @publicApi
 */
export class PreparedNotifier {
  /** @internal */
  constructor(
    protected readonly outbox: NotificationOutbox,
    private readonly settings: NotifierSettings,
  ) {}

  audit(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.notify('audit', eventType, payload, options);
  }

  debug(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.notify('debug', eventType, payload, options);
  }

  info(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.notify('info', eventType, payload, options);
  }

  warn(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.notify('warn', eventType, payload, options);
  }

  /** The same as `warn`. */
  warning(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.warn(eventType, payload, options);
  }

  error(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.notify('error', eventType, payload, options);
  }

  critical(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.notify('critical', eventType, payload, options);
  }

  /** For measurements in bulk, as telemetry has them. */
  sample(eventType: string, payload: unknown, options?: NotifyOptions): Promise<void> {
    return this.notify('sample', eventType, payload, options);
  }

  /**
   * @throws MessageDeliveryFailure not handed to the broker within `retry`, or too many are waiting
   * @throws MessagingTimeout not handed over in `timeout` seconds
   * @throws MalformedMessage a payload that cannot be written as JSON
   * @throws ClosedError
   */
  notify(
    priority: NotificationPriority,
    eventType: string,
    payload: unknown,
    options: NotifyOptions = {},
  ): Promise<void> {
    const { publisherId, retry } = this.settings;
    checkOptions('A notification', options, NOTIFY_RULES);
    const { context, timeout = this.settings.timeout } = options;
    return this.outbox.send({ priority, eventType, payload, context, publisherId, retry, timeout });
  }

  /** The same notifier, drivers and all, with other settings. */
  prepare(changes: PrepareNotifierOptions): PreparedNotifier {
    checkOptions('prepare', changes, PREPARE_RULES);
    const { publisherId, retry, timeout } = this.settings;
    const initial = this.outbox.options;
    return new PreparedNotifier(this.outbox, {
      publisherId: changed(changes.publisherId, publisherId, initial.publisherId),
      retry: checkRetry(changed(changes.retry, retry, initial.retry)),
      timeout: checkTimeout(changed(changes.timeout, timeout, initial.timeout)),
    });
  }

  /** False only where the one driver is `noop`, as in Python; without any, notifications are silently dropped. */
  isEnabled(): boolean {
    const { drivers } = this.outbox.options;
    return !(drivers.length === 1 && drivers[0] === 'noop');
  }
}

const PREPARE_RULES: OptionRules<PrepareNotifierOptions> = {
  publisherId: { ...OPTION_TABLE.publisherId, nullable: true },
  retry: OPTION_TABLE.retry,
  timeout: OPTION_TABLE.timeout,
};
const NOTIFY_RULES: OptionRules<NotifyOptions> = { context: { type: 'checked' }, timeout: OPTION_TABLE.timeout };

function changed<T>(change: T | null | undefined, base: T, reset: T): T {
  if (change === undefined) return base;
  return change ?? reset;
}
