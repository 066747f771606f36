import { isRecord } from '../wire/is-record.js';

/**
 * Whether everything that is expected is there: objects may have more keys than expected, lists not more
 * items. Matchers of test libraries (`expect.any(String)`) may stand for any part.
 */
export function matchesPartially(actual: unknown, expected: unknown): boolean {
  if (isMatcher(expected)) return expected.asymmetricMatch(actual);
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false;
    return expected.every((item, index) => matchesPartially(actual[index], item));
  }
  if (!isRecord(expected)) return Object.is(actual, expected);
  if (!isRecord(actual)) return false;
  return Object.entries(expected).every(
    ([key, value]) => Object.hasOwn(actual, key) && matchesPartially(actual[key], value),
  );
}

function isMatcher(value: unknown): value is { asymmetricMatch(actual: unknown): boolean } {
  return isRecord(value) && typeof value.asymmetricMatch === 'function';
}
