import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RoutingPattern } from '../../../../lib/broker/memory/routing-pattern.js';

/** The rule of AMQP 0-9-1, 3.1.3.3, as a regular expression over words that each end in a dot. */
function asRegExp(pattern: readonly string[]): RegExp {
  const parts = pattern.map(
    (word) => ({ '*': String.raw`[^.]+\.`, '#': String.raw`([^.]+\.)*` })[word] ?? `${word}\\.`,
  );
  return new RegExp(`^${parts.join('')}$`);
}

const word = fc.constantFrom('a', 'b', 'c');

describe('RoutingPattern', () => {
  it('matches what the rule says', () => {
    const patterns = fc.array(fc.oneof(word, fc.constantFrom('*', '#')), { maxLength: 6 });
    fc.assert(
      fc.property(patterns, fc.array(word, { maxLength: 6 }), (pattern, words) => {
        const expected = asRegExp(pattern).test(words.map((one) => `${one}.`).join(''));
        expect(new RoutingPattern(pattern.join('.')).matches(words.join('.'))).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['a.b', false],
    ['a*', false],
    ['a.*', true],
    ['#', true],
  ])('%s has wildcards: %s', (pattern, hasWildcards) => {
    expect(new RoutingPattern(pattern).hasWildcards).toBe(hasWildcards);
  });
});
