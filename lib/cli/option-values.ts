import { readFileSync } from 'node:fs';
import { addressIn, type AddressText } from '../observe/traffic/address-text.js';
import { isRecord } from '../wire/json/is-record.js';
import { parseJson } from '../wire/json/json.js';
import { EXIT, UsageError } from './exit-codes.js';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const HIGHEST_RATE = 100_000;
const LONGEST_MS = 24 * 3_600_000;
/** A message of more is refused by brokers. */
const LONGEST_FILE = 64 * 1024 * 1024;

/** Milliseconds of `500ms`, `5s`, `2m`, `1h`; a bare number is seconds. @throws UsageError */
export function duration(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const ms = parts ? Number(parts[1]) * UNITS[parts[2] ?? 's']! : Number.NaN;
  if (ms > 0 && ms <= LONGEST_MS) return ms;
  throw new UsageError(`'${text}' is no duration up to 24h: write 500ms, 5s, 2m or 1h`);
}

/** @throws UsageError */
export function count(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && Number.isSafeInteger(number)) return number;
  throw new UsageError(`'${text}' is no whole number from 1`);
}

/** `500/s` or `500`. @throws UsageError */
export function ratePerSecond(text: string): number {
  const number = Number(text.replace(/\/s$/, ''));
  if (/^\d+(\.\d+)?(\/s)?$/.test(text) && number > 0 && number <= HIGHEST_RATE) return number;
  throw new UsageError(`'${text}' is no rate up to ${HIGHEST_RATE}/s: write 500/s`);
}

const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Bytes of `64MiB`, `512KiB`, `1GiB`; a bare number is bytes. @throws UsageError */
export function bytes(text: string): number {
  const parts = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(text);
  const number = parts ? Number(parts[1]) * BYTES[parts[2] ?? 'B']! : Number.NaN;
  if (number >= 1 && Number.isSafeInteger(number)) return number;
  throw new UsageError(`'${text}' is no number of bytes: write 64MiB, 512KiB or 1GiB`);
}

/** The same for a body. @throws UsageError */
export function byteSize(text: string): number {
  const size = bytes(text);
  if (size <= LONGEST_FILE) return size;
  throw new UsageError(`'${text}' is more than 64MiB`);
}

const KINDS: ReadonlySet<string> = new Set(['call', 'cast', 'fanout', 'notification']);

/** Some of the kinds of messages, separated by commas. @throws UsageError */
export function kinds(text: string): ReadonlySet<string> {
  const wanted = new Set(text.split(','));
  for (const kind of wanted) if (!KINDS.has(kind)) throw new UsageError(`there is no kind '${kind}'`);
  return wanted;
}

/** `3.12`, as far as such numbers go. @throws UsageError */
export function version(text: string): string {
  if (/^\d{1,5}\.\d{1,5}(\.\d{1,5})?$/.test(text)) return text;
  throw new UsageError(`'${text}' is no version like 3.12`);
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** A JSON text, `@file` or `-` for stdin. @throws UsageError */
export function jsonText(text: string, what: string): unknown {
  const source = text === '-' ? readText(0) : text.startsWith('@') ? readText(text.slice(1)) : text;
  try {
    return parseJson(source, 'exact');
  } catch (error) {
    throw new UsageError(`${what} is not JSON: ${(error as Error).message}`);
  }
}

/** The same, for what has to be an object. @throws UsageError */
export function jsonObject(text: string, what: string): Record<string, unknown> {
  const value = jsonText(text, what);
  if (isRecord(value)) return value;
  throw new UsageError(`${what} must be a JSON object`);
}

/** `key=text`, `key:=JSON`, `key=@file`; a text stays one, so that id=0012 does. @throws UsageError */
export function keyValues(pairs: readonly string[]): Record<string, unknown> {
  const entries = pairs.map((pair): [string, unknown] => {
    const parts = /^([^=:\s]+)(:?=)(.*)$/s.exec(pair);
    if (!parts) throw new UsageError(`'${pair}' is none of key=value, key:=JSON, key=@file`);
    const [, key = '', sign, value = ''] = parts;
    if (key === '__proto__') throw new UsageError("'__proto__' is no name of an argument");
    if (sign === ':=') return [key, jsonText(value, `the value of ${key}`)];
    return [key, value.startsWith('@') ? readText(value.slice(1)) : value];
  });
  return Object.fromEntries(entries);
}

/** `conductor.host1`: a topic and its server. @throws UsageError */
export function topicAndServer(text: string, server?: string): AddressText {
  if (server !== undefined) return { topic: text, server };
  const address = addressIn(text);
  if (address.topic !== '' && address.server !== '') return address;
  throw new UsageError(`'${text}' is neither TOPIC nor TOPIC.SERVER`);
}

/** `baseapi.ping`: the method, and the namespace before the last dot. */
export function namespaceAndMethod(text: string): { namespace?: string; method: string } {
  const dot = text.lastIndexOf('.');
  return dot === -1 ? { method: text } : { namespace: text.slice(0, dot), method: text.slice(dot + 1) };
}

/** A file that cannot be read ends the command with 74. */
function readText(path: string | 0): string {
  const text = readFileSync(path, 'utf8');
  if (text.length <= LONGEST_FILE) return text;
  throw Object.assign(new Error(`${path} is too large (exit code ${EXIT.file})`), { code: 'EFBIG', syscall: 'read' });
}
