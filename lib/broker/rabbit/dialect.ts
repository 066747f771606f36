import { constants, deflateSync, inflateSync } from 'node:zlib';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';

/** Our own servers take what inflates to more than this, and by so much, for an attack. */
const suspiciousBytes = 1_048_576;
const suspiciousRatio = 200;

/** How bodies are written, by the header that tells of it. */
export type Compression = 'application/x-gzip';

/** What the options change in the frames of a connection. */
export interface Dialect {
  readonly compression?: Compression;
  readonly cancelOnFailover?: boolean;
}

/** kombu calls it gzip, and it is a zlib stream (RFC 1950). Whoever is set to another one reads it too. */
export function compressionOf(name: ResolvedRabbitOptions['kombuCompression']): Compression | undefined {
  return name && 'application/x-gzip';
}

export function compressed(body: string): Buffer {
  const bytes = Buffer.byteLength(body);
  const packed = deflateSync(body);
  const isSuspicious = bytes > suspiciousBytes && packed.length * suspiciousRatio < bytes;
  return isSuspicious ? deflateSync(body, { level: constants.Z_NO_COMPRESSION }) : packed;
}

/** Of what we have written ourselves. */
export function decompressed(content: Buffer): Buffer {
  return inflateSync(content);
}
