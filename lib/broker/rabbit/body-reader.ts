import { inflateSync } from 'node:zlib';
import { shown } from '../../wire/shown.js';

/** A body that cannot be handed on; the message says why. */
export class UnreadableBody extends Error {
  override readonly name = 'UnreadableBody';
}

/** kombu's names for what is a zlib stream (RFC 1950) in truth, never a gzip file. */
const zlibNames: ReadonlySet<unknown> = new Set(['application/x-gzip', 'gzip', 'zlib']);

/**
 * The body as its sender wrote it: decompressed as its `compression` header says.
 *
 * @throws UnreadableBody
 */
export function readBody(content: Buffer, headers: Readonly<Record<string, unknown>>, maxBytes: number): Buffer {
  if (content.length > maxBytes) throw new UnreadableBody(`${content.length} bytes, more than ${maxBytes}`);
  const { compression } = headers;
  if (compression === undefined) return content;
  if (!zlibNames.has(compression))
    throw new UnreadableBody(`unknown compression ${shown(JSON.stringify(compression))}`);
  try {
    return inflateSync(content, { maxOutputLength: maxBytes });
  } catch (error) {
    const reason = error instanceof RangeError ? `more than ${maxBytes} bytes when decompressed` : 'no zlib stream';
    throw new UnreadableBody(reason, { cause: error });
  }
}
