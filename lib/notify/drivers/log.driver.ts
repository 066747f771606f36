import { stringifyJson, unwritable } from '../../wire/json/json.js';
import { isSecretName, maskSecrets } from '../../wire/redaction.js';
import type { Notification, NotificationPriority } from '../../wire/notification.js';
import type { NotificationDriver } from './notification-driver.js';

/**
 * The logger of the driver `log`; Nest's `LoggerService` is one.
 *
 * @publicApi
 */
export interface NotificationLogger {
  log(message: string, context: string): unknown;
  warn(message: string, context: string): unknown;
  error(message: string, context: string): unknown;
  debug?(message: string, context: string): unknown;
  fatal?(message: string, context: string): unknown;
}

const MASK = '***';

/** Beside the usual names of secrets, those that only oslo.utils' `mask_dict_password` knows. */
const OTHER_SECRETS =
  /config_?drive|cookie|crypto_?kek|cluster_?fsid|hash_?suffix|(?:admin|auth|client|encrypted|encryption|fernet|heartbeat|mds|mon|rndc|rgw|ssh|ssl)_?key/i;

/** Python has no logger's method for `audit` and `sample`, and loses them; here they are ordinary records. */
const LEVELS: Readonly<Record<NotificationPriority, 'debug' | 'error' | 'fatal' | 'log' | 'warn'>> = {
  audit: 'log',
  sample: 'log',
  debug: 'debug',
  info: 'log',
  warn: 'warn',
  error: 'error',
  critical: 'fatal',
};
const INSTEAD = { debug: 'log', fatal: 'error' } as const;

/** Writes notifications to a log, by their priority, as one line of JSON with secrets masked; Python's `log`. */
export class LogDriver implements NotificationDriver {
  constructor(private readonly logger: NotificationLogger) {}

  /** @throws MalformedMessage what could not be sent either */
  notify(notification: Notification): void {
    const level = LEVELS[notification.priority];
    const name = `oslo.messaging.notification.${notification.eventType}`;
    if ((level === 'debug' || level === 'fatal') && !this.logger[level]) {
      this.logger[INSTEAD[level]](maskedText(notification), name);
    } else {
      this.logger[level]!(maskedText(notification), name);
    }
  }
}

function maskedText({ messageId, publisherId, eventType, priority, payload, timestamp }: Notification): string {
  const message = {
    message_id: messageId,
    publisher_id: publisherId,
    event_type: eventType,
    priority: priority.toUpperCase(),
    payload,
    timestamp,
  };
  try {
    return JSON.stringify(message, masked);
  } catch (error) {
    // Fails as the messaging drivers do, which may take deeper ones.
    stringifyJson(message);
    throw unwritable(error);
  }
}

function masked(key: string, value: unknown): unknown {
  const isSet = value !== null && value !== undefined;
  if (isSet && (isSecretName(key) || OTHER_SECRETS.test(key))) return MASK;
  if (typeof value === 'string') return maskSecrets(value);
  return typeof value === 'bigint' ? String(value) : value;
}
