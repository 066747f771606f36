/** The broker's limit of `expiration`; what may wait longer has none. */
const LONGEST_EXPIRATION_MS = 0xffffffff;

/** The AMQP property for a call that waits so long. */
export function expirationOf(ms: number): number | undefined {
  return ms > LONGEST_EXPIRATION_MS ? undefined : Math.ceil(ms);
}
