import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedMessage } from '../../../lib/index.js';

import { JsonReader } from '../../../lib/wire/json/json-reader.js';
import { parseJson, stringifyJson } from '../../../lib/wire/json/json.js';

/** What a function gives, or the class of what it throws. */
function outcome(run: () => unknown): unknown {
  try {
    return { value: run() };
  } catch (error) {
    return (error as Error).constructor;
  }
}

const text = fc.string({ unit: 'binary' });
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '7', ''));
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.bigInt(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    text,
    fc.constantFrom(null, true, false, '1234567890123456', 'a, 12345678901234567890', '[1234567890123456789'),
    fc.array(tie('tree')),
    fc.dictionary(key, tie('tree')),
  ),
}));

const deep = (inside: string) => '['.repeat(100_000) + inside + ']'.repeat(100_000);

describe('reading', () => {
  // Python's json.loads gives the same integers for these texts.
  it.each([
    ['1152921504606846976', 1152921504606846976n],
    ['-9223372036854775809', -9223372036854775809n],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['9007199254740993', 9007199254740993n],
    [' [1152921504606846976 ] ', [1152921504606846976n]],
    ['{"a":1152921504606846976,"b":1}', { a: 1152921504606846976n, b: 1 }],
    ['{"a":\n1152921504606846976}', { a: 1152921504606846976n }],
    ['[1,-1152921504606846976]', [1, -1152921504606846976n]],
    ['{"1152921504606846976": "x: 1152921504606846976"}', { '1152921504606846976': 'x: 1152921504606846976' }],
    ['["\\", 1152921504606846976", "\\\\"]', ['", 1152921504606846976', '\\']],
    ['[1125899906842624.5, 1234567890123456e3]', [1125899906842624.5, 1234567890123456e3]],
  ])('keeps integers exact: %s', (json, value) => {
    expect(parseJson(json, 'exact')).toEqual(value);
  });

  it('gives the nearest double where that is asked for', () => {
    expect(parseJson('[1152921504606846977, NaN]', 'number')).toEqual([1152921504606846976, Number.NaN]);
  });

  it('reads the bare words that Python writes', () => {
    const value = parseJson('{"a": [NaN, Infinity, -Infinity], "b": "NaN", "c": true}', 'exact');
    expect(value).toEqual({ a: [Number.NaN, Infinity, -Infinity], b: 'NaN', c: true });
  });

  it('reads as many digits as Python does, and refuses more', () => {
    expect(parseJson(`-${'1'.repeat(4300)}`, 'exact')).toBe(-BigInt('1'.repeat(4300)));
    expect(() => parseJson('1'.repeat(4301), 'exact')).toThrow(MalformedMessage);
    expect(() => parseJson(`[${'9'.repeat(10_000_000)}]`, 'exact')).toThrow(MalformedMessage);
  });

  it('takes the last of duplicate keys', () => {
    expect(parseJson('{"a":1,"a":2}', 'exact')).toEqual({ a: 2 });
    expect(parseJson('{"a":1152921504606846976,"a":2}', 'exact')).toEqual({ a: 2 });
  });

  it('makes __proto__ an ordinary own key', () => {
    const value = parseJson('{"__proto__":{"polluted":1152921504606846976}}', 'exact') as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect('polluted' in value).toBe(false);
  });

  it('is not overthrown by nesting', () => {
    let value = parseJson(deep('1152921504606846976'), 'exact');
    for (let level = 0; level < 100_000; level++) value = (value as unknown[])[0];
    expect(value).toBe(1152921504606846976n);
    expect(() => parseJson('[1152921504606846976,'.repeat(100_000), 'exact')).toThrow(MalformedMessage);
    expect(() => parseJson('{"a":NaN,"b":'.repeat(100_000), 'exact')).toThrow(MalformedMessage);
    expect(Array.isArray(parseJson(deep(''), 'exact'))).toBe(true);
  });

  it('reads huge exponents as doubles do', () => {
    expect(parseJson('[1e400,1e-400,1152921504606846976e999999999]', 'exact')).toEqual([Infinity, 0, Infinity]);
  });

  it.each([
    '',
    '   ',
    '{',
    '[1152921504606846976',
    '[1152921504606846976,]',
    '[1152921504606846976}',
    '{"a":1152921504606846976,}',
    '{1152921504606846976:1}',
    '{"a" 1152921504606846976}',
    '01152921504606846976',
    '+1152921504606846976',
    '1152921504606846976 2',
    '1152921504606846976n',
    '-NaN',
    'NaNa',
    '["a\u0001", NaN]',
    '["\\x", NaN]',
    '["NaN]',
    "['NaN']",
    '\ufeff{}',
  ])('refuses %j', (json) => {
    expect(() => parseJson(json, 'exact')).toThrow(MalformedMessage);
  });

  it('shows nothing of the text in its error or the cause', () => {
    const error = outcomeError(() => parseJson('{"auth_token": hunter2}', 'exact'));
    expect(String(error)).not.toContain('hunter2');
    expect(String(error.cause)).not.toContain('hunter2');
  });

  it('understands and refuses what JSON.parse understands and refuses', () => {
    const mutation = fc.record({
      at: fc.nat(),
      remove: fc.nat(3),
      insert: fc.constantFrom('', ',', '"', '\\', ']', '}', ':', '1'),
    });
    fc.assert(
      fc.property(fc.json(), fc.array(mutation, { maxLength: 2 }), (json, mutations) => {
        const mutated = mutations.reduce((given, { at, remove, insert }) => {
          const start = at % (given.length + 1);
          return given.slice(0, start) + insert + given.slice(start + remove);
        }, json);
        const ours = outcome(() => new JsonReader(mutated, 'number').read());
        const engine = outcome(() => JSON.parse(mutated));
        expect(ours).toStrictEqual(engine === SyntaxError ? MalformedMessage : engine);
      }),
    );
  });

  it('throws nothing but MalformedMessage', () => {
    const fragment = fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '"',
      '\\',
      ' 1152921504606846976',
      'NaN',
      '-',
      'u12',
      'e9',
      '.',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(fragment, text)), (fragments) => {
        const result = outcome(() => parseJson(fragments.join(''), 'exact'));
        expect(result === MalformedMessage || typeof result === 'object').toBe(true);
      }),
    );
  });
});

describe('writing', () => {
  it('gives back, read again, exactly what was written', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const json = stringifyJson(value);
        expect(stringifyJson(parseJson(json, 'exact'))).toBe(json);
      }),
    );
  });

  it('writes beside a bigint what JSON.stringify writes without it', () => {
    class Money {
      toJSON(key: string) {
        return `${key}!`;
      }
    }
    const value = {
      when: new Date(0),
      drop: undefined,
      call: () => 0,
      symbol: Symbol('s'),
      list: [undefined, () => 0, Number.NaN, -Infinity, -0, '\ud800'],
      boxed: [Object(1), Object('s'), Object(false)],
      price: new Money(),
      map: new Map([[1, 2]]),
      nested: { '2': null, '1': { deep: [[]] } },
    };
    const expected = JSON.stringify([value, 0]).replace(/0\]$/, '1152921504606846976]');
    expect(stringifyJson([value, 1152921504606846976n])).toBe(expected);
  });

  it('writes as null what JSON leaves out', () => {
    expect(stringifyJson(undefined)).toBe('null');
    expect(stringifyJson(() => 0)).toBe('null');
  });

  it('writes a bare bigint', () => {
    expect(stringifyJson(-(2n ** 64n))).toBe('-18446744073709551616');
    expect(stringifyJson(Object(5n))).toBe('5');
  });

  it('writes an object twice that is there twice, and refuses a circle', () => {
    const shared = { big: 1n };
    expect(stringifyJson([shared, shared])).toBe('[{"big":1},{"big":1}]');
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(() => stringifyJson(circle)).toThrow(MalformedMessage);
    expect(() => stringifyJson({ big: 1n, circle })).toThrow(MalformedMessage);
  });

  it.each([
    ['plain', 1],
    ['with a bigint', 1n],
  ])('refuses 100 000 levels clearly, %s', (_, inside) => {
    let value: unknown = inside;
    for (let level = 0; level < 100_000; level++) value = [value];
    expect(() => stringifyJson(value)).toThrow(/^Malformed message: the value is nested too deeply/);
  });

  it('reports a failing toJSON as the cause', () => {
    const cause = new TypeError('no');
    const value = {
      toJSON() {
        throw cause;
      },
    };
    expect(outcomeError(() => stringifyJson(value))).toMatchObject({ name: 'MalformedMessage', cause });
  });
});

function outcomeError(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

it.each([0, 1, 2, 7, 14, 15, 16, 17, 31, 32, 33])('finds a big integer behind %i other characters', (before) => {
  const padding = 'x'.repeat(before);
  expect(parseJson(`{"${padding}":"${padding}123","n":12345678901234567}`, 'exact')).toMatchObject({
    n: 12345678901234567n,
  });
  expect(parseJson(`["${padding}",1234567890123456]`, 'exact')).toEqual([padding, 1234567890123456]);
});
