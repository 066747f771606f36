const ID_BYTES = 16;

/** Random bytes are drawn for many ids at once: asking for them costs more than their number. */
const pool = new Uint8Array(ID_BYTES * 256);
let used = pool.length;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A uuid4 as 32 hex digits: `_unique_id`, `_msg_id`, and the random part of queue names. */
export function newUniqueId(): string {
  if (used === pool.length) {
    globalThis.crypto.getRandomValues(pool);
    used = 0;
  }
  let id = '';
  for (let index = 0; index < ID_BYTES; index++) id += HEX[uuid4Byte(index, pool[used + index]!)];
  used += ID_BYTES;
  return id;
}

/** A uuid4 with dashes: `message_id` of notifications. */
export function newMessageId(): string {
  const id = newUniqueId();
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
}

/** Version and variant as RFC 9562 has them. */
function uuid4Byte(index: number, random: number): number {
  if (index === 6) return (random & 0x0f) | 0x40;
  return index === 8 ? (random & 0x3f) | 0x80 : random;
}
