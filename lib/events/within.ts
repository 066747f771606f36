import { longestTimerMs } from './longest-timer.js';

/** Waits for a promise, but not longer; what it rejects with is none of a goodbye's concerns. */
export async function within(ms: number, promise: Promise<unknown> | undefined): Promise<void> {
  if (!promise) return;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>(
    (resolve) => (timer = setTimeout(resolve, Math.min(Math.max(0, ms), longestTimerMs))),
  );
  await Promise.race([promise.catch(() => undefined), timeout]);
  clearTimeout(timer);
}
