import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedMessage, UnsupportedEnvelope } from '../../../lib/index.js';

import { openEnvelope, sealEnvelope, type OpenOptions } from '../../../lib/wire/envelope.js';

const OPTIONS: OpenOptions = { maxBytes: 1_000_000, integers: 'exact', contentType: 'application/json' };

function open(body: string | Uint8Array, options: Partial<OpenOptions> = {}): Record<string, unknown> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  return openEnvelope(bytes, { ...OPTIONS, ...options });
}

const envelope = (version: unknown, message: unknown) =>
  JSON.stringify({ 'oslo.version': version, 'oslo.message': message });

it('gives back what was sealed', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (message) => {
      const text = JSON.stringify(message);
      expect(open(sealEnvelope(text), { integers: 'number' })).toEqual(JSON.parse(text));
    }),
  );
});

describe('versions, as Python judges them', () => {
  it.each(['2.0', '2.0.0'])('opens %s', (version) => {
    expect(open(envelope(version, '{"a":1}'))).toEqual({ a: 1 });
  });

  it.each(['2.1', '3.0', '1.9', '2.0.1', '2', 'x', '', 2.0, null, {}])('refuses %j', (version) => {
    expect(() => open(envelope(version, '{"a":1}'))).toThrow(UnsupportedEnvelope);
  });
});

describe('bodies that Python rejects', () => {
  it.each([
    ['no JSON', 'hello'],
    ['a list', '[1]'],
    ['a string', '"x"'],
    ['null', 'null'],
    ['bad inner JSON', envelope('2.0', '{')],
    ['inner list', envelope('2.0', '[]')],
    ['inner null', envelope('2.0', 'null')],
    ['a message that is no string', envelope('2.0', { method: 'x' })],
    ['no text at all', ''],
    ['a byte order mark', '\ufeff{}'],
    ['not UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)],
    ['an encoded surrogate', Uint8Array.of(0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d)],
  ])('%s', (_, body) => {
    expect(() => open(body)).toThrow(MalformedMessage);
  });

  it.each([undefined, '', 'text/plain', 'application/data', 'application/json-seq'])(
    'content type %s',
    (contentType) => {
      expect(() => open('{}', { contentType })).toThrow(MalformedMessage);
    },
  );

  it('but tolerates parameters of the content type', () => {
    expect(open('{"a":1}', { contentType: 'application/json; charset=utf-8' })).toEqual({ a: 1 });
  });
});

it('takes an object without the whole envelope as the message', () => {
  expect(open('{"method":"m","args":{"n":1152921504606846976}}')).toEqual({
    method: 'm',
    args: { n: 1152921504606846976n },
  });
  expect(open('{"oslo.version":"9.0"}')).toEqual({ 'oslo.version': '9.0' });
});

it('reads integers exactly or as doubles, as asked', () => {
  const body = sealEnvelope('{"n":1152921504606846977}');
  expect(open(body)).toEqual({ n: 1152921504606846977n });
  expect(open(body, { integers: 'number' })).toEqual({ n: 1152921504606846976 });
});

it('refuses a body above the limit before it decodes it', () => {
  const notUtf8 = new Uint8Array(101).fill(0xff);
  expect(() => open(notUtf8, { maxBytes: 100 })).toThrow('101 bytes are more than the limit of 100');
  expect(() => open(notUtf8, { maxBytes: 101 })).toThrow('not UTF-8');
  expect(open('{"a":"é"}', { maxBytes: 10 })).toEqual({ a: 'é' });
});

it('shows what it refused, masked', () => {
  const body = `${envelope('2.0', '{"_context_auth_token": "hunter2", "method": "m"')}\n`;
  expect(() => open(body)).toThrow(
    expect.objectContaining({ name: 'MalformedMessage', excerpt: expect.stringContaining('\\"method\\": \\"m\\"') }),
  );
  expect(() => open(body)).toThrow(expect.objectContaining({ excerpt: expect.not.stringContaining('hunter2') }));
});

it('throws its own error for noise', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(() => open(bytes)).toThrow(MalformedMessage);
    }),
  );
});

it('opens 100 000 nested arrays, and refuses them unclosed', () => {
  const deep = '['.repeat(100_000);
  expect(open(sealEnvelope(`{"a":${deep}${']'.repeat(100_000)}}`))).toHaveProperty('a');
  expect(() => open(sealEnvelope(`{"a":${deep}`))).toThrow(MalformedMessage);
});
