import { MalformedMessage, UnsupportedEnvelope } from '../errors/wire.errors.js';
import { isVersionCompatible } from './rpc/api-version.js';
import { isRecord } from './json/is-record.js';
import { boundedWeight } from './json/json-bounds.js';
import { parseJson, type IntegerReading } from './json/json.js';
import { excerptOf } from './redaction.js';
import { shown } from './shown.js';

const ENVELOPE_VERSION = '2.0';
const VERSION_KEY = 'oslo.version';
const MESSAGE_KEY = 'oslo.message';

export interface OpenOptions {
  /** Larger bodies are refused before they are decoded. */
  maxBytes: number;
  /** A body with more values is refused before it is parsed. @defaultValue without limit */
  maxValues?: number;
  integers: IntegerReading;
  /** The AMQP property. Without `application/json` the Python side rejects a message, and so do we. */
  contentType?: string;
}

/** A message that was read. */
export interface OpenedMessage {
  readonly message: Record<string, unknown>;
  /** About how many bytes of memory it takes. */
  readonly weight: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Puts a message's JSON text into the envelope: JSON text again. `bare`: as it is, for peers older than the envelope. */
export function sealEnvelope(message: string, bare = false): string {
  if (bare) return message;
  return `{"${VERSION_KEY}":"${ENVELOPE_VERSION}","${MESSAGE_KEY}":${JSON.stringify(message)}}`;
}

/**
 * Reads a received body. An object without the envelope is taken as the message itself, as Python's
 * `deserialize_msg` does.
 *
 * @throws MalformedMessage
 * @throws UnsupportedEnvelope
 */
export function openEnvelope(body: Uint8Array, options: OpenOptions): Record<string, unknown> {
  return weighMessage(body, options).message;
}

/**
 * The same, for those who keep what they read.
 *
 * @throws MalformedMessage
 * @throws UnsupportedEnvelope
 */
export function weighMessage(body: Uint8Array, options: OpenOptions): OpenedMessage {
  try {
    return readMessage(decodeBody(body, options), options);
  } catch (error) {
    throw withExcerpt(error, body);
  }
}

function decodeBody(body: Uint8Array, options: OpenOptions): string {
  if (body.byteLength > options.maxBytes) {
    throw new MalformedMessage(`${body.byteLength} bytes are more than the limit of ${options.maxBytes}`);
  }
  if (!isJson(options.contentType)) {
    throw new MalformedMessage(`the content type is ${shown(options.contentType ?? 'absent', 100)}`);
  }
  try {
    return utf8.decode(body);
  } catch (error) {
    throw new MalformedMessage('not UTF-8', { cause: error });
  }
}

function isJson(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true;
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}

/** As this library and Python write it; the message's text follows, and nothing else. */
const COMMON_STARTS = [`{"${VERSION_KEY}":"2.0","${MESSAGE_KEY}":`, `{"${VERSION_KEY}": "2.0", "${MESSAGE_KEY}": `];

/** The text of the message in an envelope that looks as most do; undefined: whatever it is, it is to be read whole. */
function commonMessage(text: string): string | undefined {
  const start = COMMON_STARTS.find((one) => text.startsWith(one));
  if (start === undefined || !text.endsWith('"}')) return undefined;
  try {
    const message: unknown = JSON.parse(text.slice(start.length, -1));
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

function readMessage(text: string, options: OpenOptions): OpenedMessage {
  const message = commonMessage(text);
  return message === undefined ? readAnyMessage(text, options) : readInner(message, options);
}

function readInner(message: string, { integers, maxValues = Infinity }: OpenOptions): OpenedMessage {
  const weight = boundedWeight(message, maxValues);
  return { message: asObject(parseJson(message, integers), MESSAGE_KEY), weight };
}

function readAnyMessage(text: string, options: OpenOptions): OpenedMessage {
  const { integers, maxValues = Infinity } = options;
  const weight = boundedWeight(text, maxValues);
  // The outer object is read without exact integers: digits inside the enclosed text are none of its own.
  const outer = asObject(parseJson(text, 'number'), 'the body');
  if (!Object.hasOwn(outer, VERSION_KEY) || !Object.hasOwn(outer, MESSAGE_KEY)) {
    return { message: integers === 'number' ? outer : asObject(parseJson(text, integers), 'the body'), weight };
  }
  const version = outer[VERSION_KEY];
  if (typeof version !== 'string' || !isVersionCompatible(version, ENVELOPE_VERSION)) {
    throw new UnsupportedEnvelope(shown(String(version), 100));
  }
  const message = outer[MESSAGE_KEY];
  if (typeof message !== 'string') throw new MalformedMessage(`${MESSAGE_KEY} is not a string`);
  return readInner(message, options);
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw new MalformedMessage(`${what} is not an object`);
}

function withExcerpt(error: unknown, body: Uint8Array): unknown {
  const excerpt = excerptOf(body);
  if (error instanceof UnsupportedEnvelope) return new UnsupportedEnvelope(error.version, { excerpt });
  if (error instanceof MalformedMessage) {
    return new MalformedMessage(error.reason, { cause: error.cause, excerpt });
  }
  return new MalformedMessage('not readable', { cause: error, excerpt });
}
