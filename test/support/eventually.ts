import { setTimeout as delay } from 'node:timers/promises';

/** Longer than a busy machine stands still; less than the 30 s after which consumers are looked at by themselves. */
const PATIENCE_MS = 20_000;

/** Asks again until the answer is neither undefined nor false; a failing last answer is the error. */
export async function eventually<T>(
  ask: () => Promise<T | false | undefined> | T | false | undefined,
  what = 'a condition',
  withinMs = PATIENCE_MS,
): Promise<T> {
  const giveUpAt = performance.now() + withinMs;
  let failure: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await delay(20);
  } while (performance.now() < giveUpAt);
  throw failure ?? new Error(`${what} did not come true within ${withinMs} ms`);
}
