import { vi } from 'vitest';

/** Lets a fake clock run until a promise is settled, for `mostMs` milliseconds at most. */
export async function advanced<T>(promise: Promise<T>, mostMs = 1_000): Promise<T> {
  const fate = { isSettled: false };
  const settle = (): void => void (fate.isSettled = true);
  promise.then(settle, settle);
  for (let ms = 0; ms < mostMs && !fate.isSettled; ms += 1) await vi.advanceTimersByTimeAsync(1);
  return promise;
}
