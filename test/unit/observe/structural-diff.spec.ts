import { describe, expect, it } from 'vitest';
import { differencesOf, pathPattern } from '../../../lib/observe/traffic/structural-diff.js';

describe('a structural comparison', () => {
  it.each([
    ['the order of keys', { a: 1, b: 2 }, { b: 2, a: 1 }],
    ['what Python sends for not a number', { a: Number.NaN }, { a: Number.NaN }],
    ['integers of any size', [12345678901234567890n], [12345678901234567890n]],
    ['nothing', null, null],
  ])('finds the same: %s', (_what, one, other) => expect(differencesOf(one, other)).toEqual([]));

  it.each([
    ['a value', { a: [1, { b: 1 }] }, { a: [1, { b: 2 }] }, [{ path: ['a', '1', 'b'], recorded: 1, now: 2 }]],
    ['a key that has gone', { a: 1 }, {}, [{ path: ['a'], recorded: 1 }]],
    ['a key that has come, though it is null', {}, { a: null }, [{ path: ['a'], now: null }]],
    ['a longer list', [1], [1, 2], [{ path: ['1'], now: 2 }]],
    ['a list in the place of an object', { a: [] }, { a: {} }, [{ path: ['a'], recorded: [], now: {} }]],
    ['a text that looks like a number', 1, '1', [{ path: [], recorded: 1, now: '1' }]],
    ['an integer beyond 2^53', 2n ** 60n, 2n ** 60n + 1n, [{ path: [], recorded: 2n ** 60n, now: 2n ** 60n + 1n }]],
  ])('finds %s', (_what, one, other, differences) => expect(differencesOf(one, other)).toEqual(differences));

  it('leaves out what is to be ignored, and all below it', () => {
    const one = {
      at: 1,
      items: [
        { id: 1, seen: { at: 1 } },
        { id: 2, seen: { at: 2 } },
      ],
    };
    const other = {
      at: 2,
      items: [
        { id: 1, seen: { at: 3 } },
        { id: 3, seen: { at: 4 } },
      ],
    };
    const ignored = [pathPattern('at'), pathPattern('items.*.seen')];
    expect(differencesOf(one, other, ignored)).toEqual([{ path: ['items', '1', 'id'], recorded: 2, now: 3 }]);
    expect(differencesOf(one, other, [pathPattern('*')])).toEqual([]);
    expect(differencesOf(1, 2, [pathPattern('at')])).toHaveLength(1);
  });

  it('does not read what an object inherits', () => {
    expect(differencesOf({ a: 1 }, JSON.parse('{"a":1,"__proto__":{"b":1}}'))).toEqual([
      { path: ['__proto__'], now: { b: 1 } },
    ]);
  });

  it('ends after a hundred differences, and at any depth', () => {
    const numbers = Array.from({ length: 1_000 }, (_, at) => at);
    expect(
      differencesOf(
        numbers,
        numbers.map((n) => n + 1),
      ),
    ).toHaveLength(100);
    const deep = (end: unknown): unknown => numbers.reduce<unknown>((inner) => [inner], end);
    expect(differencesOf(deep(1), deep(2))).toMatchObject([{ recorded: 1, now: 2 }]);
  });
});
