import type { MemoryMessage } from '../broker/memory/memory-message.js';
import { openEnvelope } from '../wire/envelope.js';

/**
 * A message in a queue, as a look at the bus shows it.
 *
 * @publicApi
 */
export interface WaitingMessage {
  exchange: string;
  routingKey: string;
  /** Milliseconds that it was given to live. */
  expirationMs?: number;
  /** The JSON text. */
  body: string;
  /** The contents of the envelope: `method`, `args`, `_context_…`, or `event_type`, `payload`, …; absent in a body that is none. */
  message?: Readonly<Record<string, unknown>>;
}

export function waitingMessageOf({
  exchange,
  routingKey,
  content,
  contentType,
  expiration,
}: MemoryMessage): WaitingMessage {
  const waiting: WaitingMessage = { exchange, routingKey, body: content.toString() };
  if (expiration !== undefined) waiting.expirationMs = Number(expiration);
  try {
    waiting.message = openEnvelope(content, { maxBytes: Infinity, integers: 'exact', contentType });
  } catch {
    // Foreign bytes are shown as they are.
  }
  return waiting;
}
