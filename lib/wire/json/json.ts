import { textWithCause } from '../../errors/text-of.js';
import { MalformedMessage } from '../../errors/wire.errors.js';
import { JsonReader } from './json-reader.js';
import { JsonWriter } from './json-writer.js';
import { shown } from '../shown.js';

/**
 * How integers beyond ±(2^53−1) are read: `exact` gives a `bigint`, `number` the nearest double.
 *
 * @publicApi
 */
export type IntegerReading = 'exact' | 'number';

/** Sixteen digits where a value may begin: the only texts that can hold an integer beyond ±(2^53−1). */
const POSSIBLY_BIG_INTEGER = /(?:^|[[,:\s])-?\d{16}/;

/** Sent by Python for `float('nan')` and `float('inf')`, though JSON has no such words. */
const BARE_WORD = /NaN|Infinity/;

/**
 * Reads JSON text as Python writes it.
 *
 * @throws MalformedMessage, and nothing else
 */
export function parseJson(text: string, integers: IntegerReading): unknown {
  if (integers === 'exact' && mayHoldBigIntegers(text)) return new JsonReader(text, integers).read();
  try {
    return JSON.parse(text);
  } catch (error) {
    if (BARE_WORD.test(text)) return new JsonReader(text, integers).read();
    throw new MalformedMessage('not JSON', { cause: withoutQuotedText(error) });
  }
}

/** A text that cannot be read exactly by `JSON.parse`. */
function mayHoldBigIntegers(text: string): boolean {
  return hasSixteenDigits(text) && POSSIBLY_BIG_INTEGER.test(text);
}

/** Looks at every sixteenth character of a text that has no such run, where the expression looks at each. */
function hasSixteenDigits(text: string): boolean {
  for (let end = 15; end < text.length;) {
    let run = 0;
    while (run < 16 && isDigit(text.charCodeAt(end - run))) run += 1;
    if (run === 16) return true;
    end += 16 - run;
  }
  return false;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/**
 * Writes JSON text; a `bigint` becomes plain digits, NaN and infinities `null`.
 *
 * @throws MalformedMessage for what JSON cannot hold: circular or too deep structures, a failing `toJSON`
 */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    if (!(error instanceof TypeError)) throw unwritable(error);
  }
  try {
    return new JsonWriter().write(value);
  } catch (error) {
    throw error instanceof MalformedMessage ? error : unwritable(error);
  }
}

/** The description of a value that `JSON.stringify` fails at. */
export function unwritable(error: unknown): MalformedMessage {
  const isEngines = error instanceof RangeError && /call stack|string length/i.test(error.message);
  const reason = isEngines
    ? 'the value is nested too deeply or too large'
    : `the value cannot be written as JSON: ${shown(textWithCause(error), 1000)}`;
  return new MalformedMessage(reason, { cause: error, fault: 'caller' });
}

/** The engine's SyntaxError quotes the text, which may hold secrets. */
function withoutQuotedText(error: unknown): Error {
  const position = error instanceof Error ? /position \d+/.exec(error.message)?.[0] : undefined;
  return new SyntaxError(position ? `Unexpected text at ${position}` : 'Unexpected text');
}
