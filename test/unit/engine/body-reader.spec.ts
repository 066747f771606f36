import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../../lib/broker/bounds/body-reader.js';

const text = JSON.stringify({ text: 'é'.repeat(1_000) });

/** Written by Python: `bz2.compress`, `lzma.compress`. */
const plain =
  '{"oslo.version": "2.0", "oslo.message": "{\\"method\\": \\"echo\\", \\"args\\": {\\"text\\": \\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\"}, \\"_unique_id\\": \\"a1\\"}"}';
const bzip2 = Buffer.from(
  '425a683931415926535954d8010800003a1b80500570100004aee7bf4a2000750d53d2341ea3d3534191a7941a6a69a868d0d3401a65ea49251b07efa2a00bfb8388ac098d7b19c991166294c80883384b418942a7468bfc115ed7d92a414d3660c3788249ccd4c614ce0eb26790de9e8a585dc914e1424153600420',
  'hex',
);
const lzma = Buffer.from(
  'fd377a585a000004e6d6b4460200210116000000742fe5a30100017b7d0000005dd5de756a59919300011a02dc2ea57e1fb6f37d010000000004595a',
  'hex',
);

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

  it('reads bzip2 of Python, and brotli', () => {
    for (const compression of ['application/x-bz2', 'bzip2']) {
      expect(readBody(bzip2, { compression }, limits(10_000)).toString()).toBe(plain);
    }
    expect(readBody(bzip2, { compression: 'bzip' }, limits(plain.length)).toString()).toBe(plain);
    const brotli = brotliCompressSync(text);
    expect(readBody(brotli, { compression: 'application/x-brotli' }, limits(10_000)).toString()).toBe(text);
  });

  it('reads zstd where Node does, and says so elsewhere', () => {
    const { zstdCompressSync } = zlib as { zstdCompressSync?: (body: string) => Buffer };
    const read = () =>
      readBody(zstdCompressSync?.(text) ?? Buffer.from('1'), { compression: 'application/zstd' }, limits(10_000));
    if (zstdCompressSync) expect(read().toString()).toBe(text);
    else expect(read).toThrow('Node 22.15');
  });

  it('ends with any damaged bzip2', () => {
    for (let at = 0; at < bzip2.length; at += 3) {
      for (const flip of [1, 0xff]) {
        const damaged = Buffer.from(bzip2);
        damaged[at]! ^= flip;
        try {
          expect(readBody(damaged, { compression: 'bzip' }, limits(10_000)).length).toBeLessThanOrEqual(10_000);
        } catch (error) {
          expect(error).toMatchObject({ name: 'UnreadableBody' });
        }
      }
    }
  });

  it.each([
    ['a body above the limit', Buffer.alloc(31), {}, /31 bytes, more than 30/],
    ['a body that inflates above the limit', deflateSync('x'.repeat(31)), { compression: 'gzip' }, /when decompressed/],
    ['a true gzip file', gzipSync('1'), { compression: 'application/x-gzip' }, /not what its compression/],
    [
      'a cut stream',
      deflateSync('1').subarray(0, 5),
      { compression: 'application/x-gzip' },
      /not what its compression/,
    ],
    ['the beginning of bzip2', Buffer.from('BZh9'), { compression: 'bzip2' }, /not what its compression/],
    [
      'what is no bzip2',
      Buffer.from('BZ09'.repeat(5)),
      { compression: 'application/x-bz2' },
      /not what its compression/,
    ],
    ['a cut bzip2', bzip2.subarray(0, 60), { compression: 'application/x-bz2' }, /not what its compression/],
    ['bzip2 above the limit', bzip2, { compression: 'application/x-bz2' }, /more than 30 bytes when decompressed/],
    ['lzma', lzma, { compression: 'application/x-lzma' }, /compression application\/x-lzma: it cannot be read here/],
    ['an unknown one', Buffer.from('1'), { compression: 'application/x-rar' }, /unknown compression/],
    ['a compression that is no name', Buffer.from('1'), { compression: { toString: 1 } }, /unknown compression/],
  ])('refuses %s', (_what, body, headers, reason) => {
    const maxMessageBytes = body === bzip2 || body.length > 40 ? 200 : 30;
    expect(() => readBody(body, headers, limits(maxMessageBytes, 30))).toThrow(reason);
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
