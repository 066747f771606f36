import { describe, expect, it } from 'vitest';
import { MalformedMessage } from '../../../lib/index.js';
import { openEnvelope } from '../../../lib/wire/envelope.js';

const options = { maxBytes: Infinity, maxValues: 50_000, integers: 'exact', contentType: 'application/json' } as const;

function open(text: string): unknown {
  return openEnvelope(new TextEncoder().encode(text), options);
}

function inEnvelope(inner: string): string {
  return JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': inner });
}

describe.each([
  ['bare', (inner: string) => inner],
  ['in an envelope', inEnvelope],
])('a message %s', (_how, wrapped) => {
  it.each([
    ['many objects', `{"a":[${'{},'.repeat(60_000)}{}]}`, /more than 50000 values/],
    ['many lists', `{"a":[${'[],'.repeat(60_000)}1]}`, /more than 50000 values/],
    ['many numbers', `{"a":[${'1,'.repeat(60_000)}1]}`, /more than 50000 values/],
    ['many keys', `{${Array.from({ length: 60_000 }, (_, n) => `"${n}":1`).join(',')}}`, /more than 50000 values/],
    ['too many levels', `{"a":${'['.repeat(140_000)}${']'.repeat(140_000)}}`, /values|levels/],
  ])('with %s is refused before it is parsed', (_what, inner, reason) => {
    expect(() => open(wrapped(inner))).toThrow(MalformedMessage);
    expect(() => open(wrapped(inner))).toThrow(reason);
  });

  it.each([
    ['commas and brackets in a string', { a: ',[{'.repeat(40_000) }],
    ['quotes and backslashes in a string', { a: String.raw`\"\,[`.repeat(40_000) }],
    ['many values, but not too many', { a: Array.from({ length: 49_000 }, (_, n) => n) }],
  ])('with %s is read', (_what, value) => {
    expect(open(wrapped(JSON.stringify(value)))).toEqual(value);
  });
});
