import { textOf } from '../../errors/text-of.js';

/** What was thrown, or its text where not even `instanceof` is safe, as with a revoked proxy. */
export function approachable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return textOf(thrown);
  }
}
