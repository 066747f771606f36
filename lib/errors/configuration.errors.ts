import { OsloMessagingError, type ErrorFacts } from './oslo-messaging.error.js';

/**
 * An option, endpoint or pattern makes no sense as given.
 *
 * Mirrors `oslo_messaging.exceptions.ConfigurationError`.
 *
 * @publicApi
 */
export class ConfigurationError extends OsloMessagingError {
  /** The offending value, where it is no secret. */
  readonly value?: unknown;

  constructor(message: string, value?: unknown, facts?: ErrorFacts) {
    super(message, { code: 'OSLO_CONFIG_INVALID', fault: 'caller', retryable: false }, facts);
    if (value !== undefined) this.value = value;
  }
}

/**
 * A target lacks what the operation needs, or has what it forbids (a call to a fanout target).
 *
 * Mirrors `oslo_messaging.exceptions.InvalidTarget`.
 *
 * @publicApi
 */
export class InvalidTarget extends OsloMessagingError {
  constructor(message: string, facts?: ErrorFacts) {
    super(message, { code: 'OSLO_CONFIG_TARGET', fault: 'caller', retryable: false }, facts);
  }
}

/**
 * A transport URL cannot be understood. The message shows it with its passwords masked.
 *
 * Mirrors `oslo_messaging.transport.InvalidTransportURL`.
 *
 * @publicApi
 */
export class InvalidTransportUrl extends OsloMessagingError {
  /** The URL, passwords masked. */
  readonly url: string;

  constructor(url: string, reason: string, facts?: ErrorFacts) {
    super(
      `Invalid transport URL '${url}': ${reason}`,
      { code: 'OSLO_CONFIG_URL', fault: 'caller', retryable: false },
      facts,
    );
    this.url = url;
  }
}
