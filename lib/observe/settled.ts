import { isThenable } from '../events/is-thenable.js';

/** How something has failed; whatever was thrown, undefined too. */
export interface Failure {
  readonly thrown: unknown;
}

/** Runs `next`, tells when and how it has ended, a promise when it is settled, and returns or throws what it did. */
export function settled<T>(next: () => T, ended: (failure?: Failure) => void): T {
  let result: T;
  try {
    result = next();
  } catch (thrown) {
    ended({ thrown });
    throw thrown;
  }
  if (!isThenable(result)) {
    ended();
    return result;
  }
  const watched = Promise.resolve(result).then(
    (value: unknown) => {
      ended();
      return value;
    },
    (thrown: unknown) => {
      ended({ thrown });
      throw thrown;
    },
  );
  return watched as T;
}
