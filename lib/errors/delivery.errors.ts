import { OsloMessagingError, type ErrorFacts } from './oslo-messaging.error.js';

/**
 * The destination of a message.
 *
 * @publicApi
 */
export interface DeliveryFacts extends ErrorFacts {
  exchange?: string;
  routingKey?: string;
  /** `host:port` of the broker, without credentials. */
  host?: string;
  /** How often sending was tried. */
  attempts?: number;
}

/**
 * The message could not be handed to the broker within the tries that `retry` allows. Where the broker's user lacks a
 * permission it is the caller's fault, and not `retryable`.
 *
 * Mirrors `oslo_messaging.exceptions.MessageDeliveryFailure`.
 *
 * @publicApi
 */
export class MessageDeliveryFailure extends OsloMessagingError {
  /** Destination of the message; absent when the error is about no message. */
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly host?: string;
  readonly attempts: number;

  constructor(message: string, facts: DeliveryFacts = {}) {
    const isFinal = (facts.cause as { isFinal?: unknown } | undefined)?.isFinal === true;
    super(message, { code: 'OSLO_DELIVERY', fault: isFinal ? 'caller' : 'broker', retryable: !isFinal }, facts);
    if (facts.exchange !== undefined) this.exchange = facts.exchange;
    if (facts.routingKey !== undefined) this.routingKey = facts.routingKey;
    if (facts.host !== undefined) this.host = facts.host;
    this.attempts = facts.attempts ?? 1;
  }
}

/**
 * The broker has no queue for a mandatory message and returned it.
 *
 * Mirrors `oslo_messaging.exceptions.MessageUndeliverable`.
 *
 * @publicApi
 */
export class MessageUndeliverable extends OsloMessagingError {
  readonly exchange: string;
  readonly routingKey: string;

  /** `reason`: why it is not tried again. */
  constructor(exchange: string, routingKey: string, facts?: ErrorFacts, reason = 'the message was returned') {
    super(
      `No queue is bound to exchange '${exchange}' for routing key '${routingKey}': ${reason}`,
      { code: 'OSLO_NO_ROUTE', fault: 'broker', retryable: true },
      facts,
    );
    this.exchange = exchange;
    this.routingKey = routingKey;
  }
}

/**
 * A queue or exchange exists with other properties than the ones asked for, or the broker makes none like it (AMQP 406).
 *
 * @publicApi
 */
export class PreconditionFailed extends OsloMessagingError {
  /** The queue or exchange. */
  readonly resource: string;

  constructor(resource: string, reason: string, facts?: ErrorFacts) {
    super(
      `'${resource}' ${reason.includes('inequivalent') ? 'exists with other properties' : 'was refused'}: ${reason}`,
      { code: 'OSLO_TOPOLOGY', fault: 'caller', retryable: false },
      facts,
    );
    this.resource = resource;
  }
}

/**
 * Used after it was closed, or still waiting when it was closed.
 *
 * @publicApi
 */
export class ClosedError extends OsloMessagingError {
  /** The thing that was closed: broker, client, server, … */
  readonly closed: string;

  constructor(closed: string, facts?: ErrorFacts) {
    const text = `The ${closed} is closed${facts?.unconfirmed ? ', and had not confirmed the message yet' : ''}`;
    super(text, { code: 'OSLO_CLOSED', fault: 'caller', retryable: false }, facts);
    this.closed = closed;
  }
}
