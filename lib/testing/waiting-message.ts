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
  /** What the envelope holds: `method`, `args`, `_context_…`, or `event_type`, `payload`, …; absent in a body that is none. */
  message?: Readonly<Record<string, unknown>>;
}

export function waitingMessageOf({ exchange, routingKey, body, properties }: MemoryMessage): WaitingMessage {
  const { contentType, expirationMs } = properties;
  const waiting: WaitingMessage = { exchange, routingKey, body: new TextDecoder().decode(body) };
  if (expirationMs !== undefined) waiting.expirationMs = expirationMs;
  try {
    waiting.message = openEnvelope(body, { maxBytes: Infinity, integers: 'exact', contentType });
  } catch {
    // Foreign bytes are shown as they are.
  }
  return waiting;
}
