const ID_BYTES = 16;
const ID_DIGITS = 2 * ID_BYTES;

/** Random bytes are drawn for many ids at once, and made digits together: both cost more than their number. */
const pool = Buffer.alloc(ID_BYTES * 256);
let digits = '';
let used = 0;

/** A uuid4 as 32 hex digits: `_unique_id`, `_msg_id`, and the random part of queue names. */
export function newUniqueId(): string {
  if (used === digits.length) refill();
  used += ID_DIGITS;
  return digits.slice(used - ID_DIGITS, used);
}

/** A uuid4 with dashes: `message_id` of notifications. */
export function newMessageId(): string {
  const id = newUniqueId();
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
}

function refill(): void {
  globalThis.crypto.getRandomValues(pool);
  for (let at = 0; at < pool.length; at += ID_BYTES) markAsUuid4(at);
  digits = pool.toString('hex');
  used = 0;
}

/** Version and variant as RFC 9562 has them. */
function markAsUuid4(at: number): void {
  pool[at + 6] = (pool[at + 6]! & 0x0f) | 0x40;
  pool[at + 8] = (pool[at + 8]! & 0x3f) | 0x80;
}
