import { deflateSync, inflateSync } from 'node:zlib';

/** How bodies are written, by the header that tells of it. */
export type Compression = 'application/x-gzip';

/** What the options change in the frames of a connection. */
export interface Dialect {
  readonly compression?: Compression;
  readonly cancelOnFailover?: boolean;
}

/** kombu calls it gzip, and it is a zlib stream (RFC 1950). */
export function compressionOf(name: 'gzip' | 'zlib' | undefined): Compression | undefined {
  return name && 'application/x-gzip';
}

export function compressed(body: string): Buffer {
  return deflateSync(body);
}

/** Of what we have written ourselves. */
export function decompressed(content: Buffer): Buffer {
  return inflateSync(content);
}
