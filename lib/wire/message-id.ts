const ID_BYTES = 16;
const ID_DIGITS = 2 * ID_BYTES;

/** Random bytes are drawn for many ids at once, and made digits together: both cost more than their number. */
const pool = new Uint8Array(ID_BYTES * 256);
const poolDigits = new Uint8Array(2 * pool.length);
const ascii = new TextDecoder();
let digits = '';
let used = poolDigits.length;

/** The codes of 0 to 9 and a to f. */
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** A uuid4 as 32 hex digits: `_unique_id`, `_msg_id`, and the random part of queue names. */
export function newUniqueId(): string {
  if (used === poolDigits.length) refill();
  used += ID_DIGITS;
  return digits.slice(used - ID_DIGITS, used);
}

/** A uuid4 with dashes: `message_id` of notifications. */
export function newMessageId(): string {
  const id = newUniqueId();
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
}

/** With version and variant as RFC 9562 has them. */
function refill(): void {
  globalThis.crypto.getRandomValues(pool);
  for (let at = 0; at < pool.length; at++) {
    const byte = uuid4Byte(at % ID_BYTES, pool[at]!);
    poolDigits[2 * at] = HEX[byte >> 4]!;
    poolDigits[2 * at + 1] = HEX[byte & 0x0f]!;
  }
  digits = ascii.decode(poolDigits);
  used = 0;
}

function uuid4Byte(index: number, random: number): number {
  if (index === 6) return (random & 0x0f) | 0x40;
  return index === 8 ? (random & 0x3f) | 0x80 : random;
}
