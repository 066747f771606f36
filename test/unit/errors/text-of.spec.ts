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

it('all that led to it is told, and what has been gathered', () => {
  const refused = new AggregateError([
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ECONNREFUSED 127.0.0.1:1'),
  ]);
  const error = new Error('saving failed', { cause: new TypeError('fetch failed', { cause: refused }) });
  expect(textWithCause(error)).toBe(
    'Error: saving failed, caused by TypeError: fetch failed, caused by AggregateError ' +
      '(Error: connect ECONNREFUSED ::1:1; Error: connect ECONNREFUSED 127.0.0.1:1)',
  );
});

it('a circle of causes ends, and a long chain', () => {
  const [one, other] = [new Error('one'), new Error('other')];
  one.cause = other;
  other.cause = one;
  expect(textWithCause(one)).toBe('Error: one, caused by Error: other');
  let deep: Error = new Error('0');
  for (let level = 1; level < 100; level++) deep = new Error(String(level), { cause: deep });
  expect(textWithCause(deep).length).toBeLessThan(200);
});

it('line breaks are no part of it', () => {
  expect(textWithCause(new Error('refused:\nby default\r\n  not permitted', { cause: 'a\nb' }))).toBe(
    'Error: refused: by default not permitted, caused by a b',
  );
});
