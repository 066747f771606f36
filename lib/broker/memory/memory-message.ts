import type { DeliveryProperties } from '../broker.js';

/** A message as it would be on the wire: bytes, so that nothing is passed by reference. */
export interface MemoryMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Uint8Array;
  readonly properties: DeliveryProperties;
}

/** A message in one queue. */
export interface QueuedMessage {
  readonly message: MemoryMessage;
  /** Its place in the queue, kept when it goes back. */
  readonly position: number;
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  redelivered: boolean;
}
