import { expect, it } from 'vitest';
import { textOf, textWithCause } from '../../../lib/errors/text-of.js';

it.each([
  [new RangeError('too far'), 'RangeError: too far'],
  ['text', 'text'],
  [undefined, 'undefined'],
  [null, 'null'],
])('what was thrown is told in words: %o', (thrown, text) => {
  expect(textOf(thrown)).toBe(text);
});

it('what cannot be told is told to be so', () => {
  const hostile = {
    get message() {
      throw new Error('hostile');
    },
  };
  expect(textOf(Object.create(null))).toBe('an object without a text');
  expect(textWithCause(hostile)).toBe('an object without a text');
});

it.each([
  [{ status: 'error', message: 'rpc!' }, 'rpc!'],
  [{ code: 1, of: { what: ['a'] } }, '{"code":1,"of":{"what":["a"]}}'],
])('a plain object is told by its message, or as it is: %o', (thrown, text) => {
  expect(textWithCause(thrown)).toBe(text);
});

it('what led to it is told as well', () => {
  expect(textWithCause(new TypeError('no status', { cause: new Error('plain!') }))).toBe(
    'TypeError: no status, caused by Error: plain!',
  );
  expect(textWithCause(new Error('alone'))).toBe('Error: alone');
  expect(textWithCause('text')).toBe('text');
});
