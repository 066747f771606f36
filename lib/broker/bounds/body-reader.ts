import { inflateSync } from 'node:zlib';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { shown } from '../../wire/shown.js';

/** A body that cannot be handed on; the message says why. */
export class UnreadableBody extends Error {
  override readonly name = 'UnreadableBody';
}

export type BodyLimits = Pick<ResolvedRabbitOptions, 'maxInflatedBytes' | 'maxMessageBytes'>;

/** Text that people or programs write is not compressed better; what repeats itself for ever is. */
const greatestRatio = 200;
const alwaysPlausibleBytes = 1_048_576;

/** kombu's names for what is a zlib stream (RFC 1950) in truth, never a gzip file. */
const zlibNames: ReadonlySet<unknown> = new Set(['application/x-gzip', 'gzip', 'zlib']);

/**
 * The body as its sender wrote it: decompressed as its `compression` header says.
 *
 * @throws UnreadableBody
 */
export function readBody(
  content: Buffer,
  headers: Readonly<Record<string, unknown>>,
  { maxMessageBytes, maxInflatedBytes }: BodyLimits,
): Buffer {
  if (content.length > maxMessageBytes) {
    throw new UnreadableBody(`${content.length} bytes, more than ${maxMessageBytes} (maxMessageBytes)`);
  }
  const { compression } = headers;
  if (compression === undefined) return content;
  if (!zlibNames.has(compression))
    throw new UnreadableBody(`unknown compression ${shown(JSON.stringify(compression))}`);
  const plausible = Math.max(alwaysPlausibleBytes, content.length * greatestRatio);
  const maxOutputLength = Math.min(maxMessageBytes, maxInflatedBytes, plausible);
  try {
    return inflateSync(content, { maxOutputLength });
  } catch (error) {
    const tooMuch = `more than ${maxOutputLength} bytes when decompressed (maxInflatedBytes)`;
    const reason = error instanceof RangeError ? tooMuch : 'no zlib stream';
    throw new UnreadableBody(reason, { cause: error });
  }
}
