import { AsyncLocalStorage } from 'node:async_hooks';

const quiet = new AsyncLocalStorage<true>();

/** Runs `work` so that nothing it logs, also later, becomes a notification: else each would cause the next. */
export function runQuietly<Result>(work: () => Result): Result {
  return quiet.run(true, work);
}

export function isQuiet(): boolean {
  return quiet.getStore() === true;
}
