import { MalformedMessage } from '../errors/wire.errors.js';

/** In UTF-8 a UTF-16 unit takes no more. */
const MOST_BYTES_PER_UNIT = 3;

/** Why a body must not be sent: the broker would close the channel under all that is on it. Undefined: it may. */
export function refusalOfSize(body: string, maxBytes: number): MalformedMessage | undefined {
  if (body.length * MOST_BYTES_PER_UNIT <= maxBytes) return undefined;
  if (body.length > maxBytes) return refusal(`at least ${body.length}`, maxBytes);
  const { length } = new TextEncoder().encode(body);
  return length > maxBytes ? refusal(String(length), maxBytes) : undefined;
}

function refusal(bytes: string, maxBytes: number): MalformedMessage {
  const reason = `${bytes} bytes are more than the ${maxBytes} that may be sent (maxOutgoingMessageBytes)`;
  return new MalformedMessage(reason, { fault: 'caller' });
}
