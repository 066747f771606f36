/**
 * How a server, client or listener is right now, from live state: looking asks nobody and connects nowhere.
 *
 * @publicApi
 */
export interface HealthSnapshot {
  /** There are connections to the bus; also while it is `blocked`. */
  readonly connected: boolean;
  /** The bus takes no messages (memory or disk alarm). */
  readonly blocked: boolean;
  /** All its queues are being consumed; a client's null until its first call: it consumes nothing before. */
  readonly consuming: boolean | null;
  /** It was told to stop, or has stopped. */
  readonly draining: boolean;
  /** Of a server: none of its handler slots has been free for 10 seconds. */
  readonly saturated?: boolean;
}

/** `state` is a `BrokerState`. */
export function healthOf(
  state: 'blocked' | 'closed' | 'connected' | 'connecting',
  consuming: boolean | null,
  draining: boolean,
): HealthSnapshot {
  return { connected: state === 'connected' || state === 'blocked', blocked: state === 'blocked', consuming, draining };
}
