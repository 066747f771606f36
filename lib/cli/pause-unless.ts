import { setTimeout } from 'node:timers/promises';

/** Resolves after `ms` milliseconds, or when the signal is aborted. */
export function pauseUnless(signal: AbortSignal, ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : setTimeout(ms, undefined, { signal }).catch(() => undefined);
}
