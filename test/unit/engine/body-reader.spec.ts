import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../../lib/broker/bounds/body-reader.js';

const text = JSON.stringify({ text: 'é'.repeat(1_000) });

function limits(maxMessageBytes: number, maxInflatedBytes = maxMessageBytes) {
  return { maxMessageBytes, maxInflatedBytes };
}

describe('readBody', () => {
  it('hands on what is not compressed, the very same bytes', () => {
    const body = Buffer.from(text);
    expect(readBody(body, {}, limits(10_000))).toBe(body);
  });

  it('inflates what kombu calls gzip, which is a zlib stream', () => {
    const read = readBody(deflateSync(text), { compression: 'application/x-gzip' }, limits(10_000));
    expect(read.toString()).toBe(text);
  });

  it.each([
    ['a body above the limit', Buffer.alloc(31), {}, /31 bytes, more than 30/],
    ['a body that inflates above the limit', deflateSync('x'.repeat(31)), { compression: 'gzip' }, /when decompressed/],
    ['a true gzip file', gzipSync('1'), { compression: 'application/x-gzip' }, /no zlib stream/],
    ['a cut stream', deflateSync('1').subarray(0, 5), { compression: 'application/x-gzip' }, /no zlib stream/],
    ['bzip2', Buffer.from('BZh9'), { compression: 'application/x-bz2' }, /unknown compression/],
    ['a compression that is no name', Buffer.from('1'), { compression: { toString: 1 } }, /unknown compression/],
  ])('refuses %s', (_what, body, headers, reason) => {
    expect(() => readBody(body, headers, limits(30))).toThrow(reason);
  });

  it('takes a body of just the limit', () => {
    expect(readBody(deflateSync('x'.repeat(30)), { compression: 'zlib' }, limits(30)).toString()).toBe('x'.repeat(30));
    expect(readBody(Buffer.alloc(30), {}, limits(30))).toHaveLength(30);
  });

  it('bounds what inflates by a limit of its own, and by its ratio', () => {
    const headers = { compression: 'zlib' };
    const blanks = deflateSync(' '.repeat(4_000_000), { level: 9 });
    expect(() => readBody(blanks, headers, limits(16_000_000, 500_000))).toThrow('more than 500000 bytes');
    // A thousandfold: nobody writes so.
    expect(() => readBody(blanks, headers, limits(16_000_000, 8_000_000))).toThrow('when decompressed');
    expect(readBody(deflateSync(' '.repeat(1_000_000)), headers, limits(16_000_000))).toHaveLength(1_000_000);
  });
});
