import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';

/** A package that is not installed, or a Node that is too old; the message says so. */
export class MissingDecoder extends Error {}

/** Decompresses to at most so many bytes. @throws RangeError it is more */
export type Decoder = (content: Buffer, maxOutputLength: number) => Buffer;

interface Bunzip {
  decode(input: Buffer, output: { writeByte(byte: number): void }): void;
}

/** Later Nodes have it. */
type Zstd = { zstdDecompressSync?: (content: Buffer, options: { maxOutputLength: number }) => Buffer };

const inflate: Decoder = (content, maxOutputLength) => zlib.inflateSync(content, { maxOutputLength });

const unbrotli: Decoder = (content, maxOutputLength) => zlib.brotliDecompressSync(content, { maxOutputLength });

const unzstd: Decoder = (content, maxOutputLength) => {
  const decode = (zlib as Zstd).zstdDecompressSync;
  if (!decode) throw new MissingDecoder('it takes Node 22.15 or later');
  return decode(content, { maxOutputLength });
};

/** A stream without any block; the decoder takes less for the same. */
const shortestBzip2 = 14;

const bunzip: Decoder = (content, maxOutputLength) => {
  if (content.length < shortestBzip2) throw new Error('cut short');
  let output = Buffer.allocUnsafe(Math.min(maxOutputLength, content.length * 8));
  let length = 0;
  const writeByte = (byte: number): void => {
    if (length === maxOutputLength) throw new RangeError('more than is taken');
    if (length === output.length) {
      output = Buffer.concat([output], Math.min(maxOutputLength, Math.max(1_024, length * 2)));
    }
    output[length++] = byte;
  };
  seekBzip().decode(content, { writeByte });
  return output.subarray(0, length);
};

let loaded: Bunzip | undefined;

function seekBzip(): Bunzip {
  try {
    return (loaded ??= createRequire(import.meta.url)('seek-bzip') as Bunzip);
  } catch (error) {
    throw new MissingDecoder("it takes the package 'seek-bzip': npm install seek-bzip", { cause: error });
  }
}

const nowhere: Decoder = () => {
  throw new MissingDecoder('it cannot be read here');
};

/** By kombu's names; what it calls gzip is a zlib stream (RFC 1950) in truth, never a gzip file. */
export const decoders: ReadonlyMap<unknown, Decoder> = new Map([
  ...['application/x-gzip', 'gzip', 'zlib'].map((name) => [name, inflate] as const),
  ...['application/x-bz2', 'bzip2', 'bzip'].map((name) => [name, bunzip] as const),
  ...['application/x-brotli', 'brotli'].map((name) => [name, unbrotli] as const),
  ...['application/zstd', 'zstd', 'zstandard'].map((name) => [name, unzstd] as const),
  ...['application/x-lzma', 'lzma', 'xz'].map((name) => [name, nowhere] as const),
]);
