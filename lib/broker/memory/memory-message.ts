import type { LinkDelivery } from '../link.js';

/** A message as it would be on the wire: bytes, so that nothing is passed by reference. */
export type MemoryMessage = Readonly<
  Pick<
    LinkDelivery,
    'content' | 'contentEncoding' | 'contentType' | 'exchange' | 'expiration' | 'headers' | 'routingKey'
  >
>;

/** A message in one queue. */
export interface QueuedMessage {
  readonly message: MemoryMessage;
  /** Its place in the queue, kept when it goes back. */
  readonly position: number;
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  redelivered: boolean;
}
