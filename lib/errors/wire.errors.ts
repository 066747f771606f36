import { OsloMessagingError, type ErrorFacts, type ErrorFault } from './oslo-messaging.error.js';

/**
 * The received bytes, shortened and masked.
 *
 * @publicApi
 */
export interface WireFacts extends ErrorFacts {
  /** The first 256 bytes of the body, secrets masked. */
  excerpt?: string;
  /** @defaultValue 'peer' */
  fault?: ErrorFault;
}

/**
 * A received message is not what oslo.messaging's wire format allows, or one to be sent cannot be written in it.
 *
 * @publicApi
 */
export class MalformedMessage extends OsloMessagingError {
  readonly reason: string;
  readonly excerpt?: string;

  constructor(reason: string, facts: WireFacts = {}) {
    const { fault = 'peer' } = facts;
    super(`Malformed message: ${reason}`, { code: 'OSLO_WIRE_MALFORMED', fault, retryable: false }, facts);
    this.reason = reason;
    if (facts.excerpt !== undefined) this.excerpt = facts.excerpt;
  }
}

/**
 * The message's envelope has a version that is not compatible with 2.0.
 *
 * Mirrors `oslo_messaging._drivers.common.UnsupportedRpcEnvelopeVersion`.
 *
 * @publicApi
 */
export class UnsupportedEnvelope extends OsloMessagingError {
  readonly version: string;
  readonly excerpt?: string;

  constructor(version: string, facts: WireFacts = {}) {
    super(
      `Envelope version ${version} is not supported`,
      { code: 'OSLO_WIRE_ENVELOPE', fault: 'peer', retryable: false },
      facts,
    );
    this.version = version;
    if (facts.excerpt !== undefined) this.excerpt = facts.excerpt;
  }
}
