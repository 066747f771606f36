import type { Broker } from '../broker/broker.js';

/**
 * What a start does while the broker cannot be reached: wait for it; fail at the first failed attempt to
 * connect; or start without it, and connect in the background.
 *
 * @publicApi
 */
export type StartupPolicy = 'background' | 'fail-fast' | 'wait';

/**
 * How a server, a client or the module starts.
 *
 * @publicApi
 */
export interface StartupOptions {
  /** What to do while the broker cannot be reached; see `StartupPolicy`. @defaultValue 'wait' */
  startup?: StartupPolicy;
  /** Milliseconds that `'wait'` waits before it fails; 0 is `'fail-fast'`. @defaultValue without limit */
  startupTimeoutMs?: number;
}

/** @throws MessageDeliveryFailure, ClosedError */
export async function waitAtStartup(broker: Broker, { startup, startupTimeoutMs }: StartupOptions): Promise<void> {
  if (startup === 'background') return;
  await broker.connected(startup === 'fail-fast' ? 0 : startupTimeoutMs);
}
