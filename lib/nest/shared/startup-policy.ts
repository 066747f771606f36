import type { Broker } from '../../broker/broker.js';
import { checkOption, checkWaitingTime, type OptionRule } from '../../config/option-rule.js';

/**
 * The behaviour of a start while the broker cannot be reached: wait for it; fail at the first failed attempt to
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
  /** Startup while the broker cannot be reached; see `StartupPolicy`. @defaultValue 'wait' */
  startup?: StartupPolicy;
  /** Milliseconds that `'wait'` waits before it fails; 0 is `'fail-fast'`. @defaultValue without limit */
  startupTimeoutMs?: number;
}

const POLICIES: readonly StartupPolicy[] = ['background', 'fail-fast', 'wait'];
const POLICY_RULE: OptionRule = { type: 'choice', choices: POLICIES };

/**
 * These options alone, as they were given: an unknown policy would silently be `'wait'`.
 *
 * @throws ConfigurationError naming the option
 */
export function startupOptionsOf({ startup, startupTimeoutMs }: StartupOptions): StartupOptions {
  if (startup !== undefined) checkOption('startup', startup, POLICY_RULE);
  if (startupTimeoutMs !== undefined) checkWaitingTime('startupTimeoutMs', startupTimeoutMs);
  return { startup, startupTimeoutMs };
}

/**
 * Waits for the bus as the policy says. Returns the milliseconds that are left for whatever else a start has to do;
 * undefined: as long as it takes, 0: one attempt.
 *
 * @throws MessageDeliveryFailure, ClosedError
 */
export async function waitAtStartup(
  broker: Broker,
  { startup, startupTimeoutMs }: StartupOptions,
): Promise<number | undefined> {
  if (startup === 'background') {
    // A caller that waits for nothing is still to find it there.
    broker.connected().catch(() => undefined);
    return undefined;
  }
  const giveUpMs = startup === 'fail-fast' ? 0 : startupTimeoutMs;
  const since = performance.now();
  await broker.connected(giveUpMs);
  return giveUpMs && Math.max(1, giveUpMs - (performance.now() - since));
}
