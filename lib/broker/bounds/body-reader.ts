import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { shown } from '../../wire/shown.js';
import { decoders, MissingDecoder } from './compression.js';

/** A body that cannot be handed on; the message says why. */
export class UnreadableBody extends Error {
  override readonly name = 'UnreadableBody';
}

export type BodyLimits = Pick<ResolvedRabbitOptions, 'maxInflatedBytes' | 'maxMessageBytes'>;

/** Text that people or programs write is not compressed better; what repeats itself for ever is. */
const greatestRatio = 200;
const alwaysPlausibleBytes = 1_048_576;

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
  const decode = decoders.get(compression);
  if (!decode) throw new UnreadableBody(`unknown compression ${shown(JSON.stringify(compression))}`);
  const plausible = Math.max(alwaysPlausibleBytes, content.length * greatestRatio);
  const maxOutputLength = Math.min(maxMessageBytes, maxInflatedBytes, plausible);
  try {
    return decode(content, maxOutputLength);
  } catch (error) {
    const tooMuch = `more than ${maxOutputLength} bytes when decompressed (maxInflatedBytes)`;
    throw new UnreadableBody(reasonOf(error, shown(compression as string), tooMuch), { cause: error });
  }
}

function reasonOf(error: unknown, compression: string, tooMuch: string): string {
  if (error instanceof MissingDecoder) return `compression ${compression}: ${error.message}`;
  return error instanceof RangeError ? tooMuch : `not what its compression ${compression} says`;
}
