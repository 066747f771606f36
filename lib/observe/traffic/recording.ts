import { MalformedMessage } from '../../errors/wire.errors.js';
import { isRecord } from '../../wire/json/is-record.js';
import { boundedWeight } from '../../wire/json/json-bounds.js';
import { parseJson, stringifyJson } from '../../wire/json/json.js';
import type { TapSource, TrafficRecord } from './traffic-record.js';

/** The first line of a recording. */
export interface RecordingHead {
  readonly 'oslo-bus': 'recording';
  readonly v: 1;
  /** ISO 8601. */
  readonly at: string;
  readonly source: TapSource;
  /** The bus, passwords masked. */
  readonly url: string;
  readonly masked: boolean;
  /** The name that the bus gives itself. */
  readonly cluster?: string;
}

/** A longer line is no record: a message has 16 MiB at most, and JSON in JSON takes more. */
export const LONGEST_LINE = 64 * 1024 * 1024;
const MOST_VALUES = 1_000_000;

/** The text of a recording's first line. */
export function writeHead(head: Omit<RecordingHead, 'oslo-bus' | 'v'>): string {
  return `${JSON.stringify({ 'oslo-bus': 'recording', v: 1, ...head })}\n`;
}

/** One line of a recording. */
export function writeRecord(record: TrafficRecord): string {
  return `${stringifyJson(record)}\n`;
}

/** Reads a recording line by line; strict, as it may come from anybody. */
export class RecordingReader {
  private line = 0;
  private first: RecordingHead | undefined;

  /** Absent before the first line was read. */
  get head(): RecordingHead | undefined {
    return this.first;
  }

  /**
   * The record of the next line; undefined for the head, and for an empty line at the end.
   *
   * @throws MalformedMessage naming the line
   */
  read(text: string): TrafficRecord | undefined {
    this.line += 1;
    if (text.trim() === '' && this.first) return undefined;
    const value = this.parse(text);
    if (this.first) return this.recordOf(value);
    this.first = this.headOf(value);
    return undefined;
  }

  private parse(text: string): Record<string, unknown> {
    if (text.length > LONGEST_LINE) throw this.refusal(`it has ${text.length} characters`);
    let value: unknown;
    try {
      boundedWeight(text, MOST_VALUES);
      value = parseJson(text, 'exact');
    } catch (error) {
      throw this.refusal((error as Error).message, error);
    }
    if (!isRecord(value)) throw this.refusal('it is not an object');
    return value;
  }

  private headOf(value: Record<string, unknown>): RecordingHead {
    if (value['oslo-bus'] !== 'recording') throw this.refusal('this is no recording of oslo-bus');
    if (value.v !== 1) throw this.refusal(`version ${JSON.stringify(value.v) ?? 'none'} is not known here`);
    const { at, source, url, masked, cluster } = value;
    if (typeof at !== 'string' || typeof url !== 'string' || typeof masked !== 'boolean') {
      throw this.refusal('it lacks at, url or masked');
    }
    if (cluster !== undefined && typeof cluster !== 'string') throw this.refusal('its cluster is no text');
    if (source !== 'binding' && source !== 'firehose') throw this.refusal('its source is not known');
    const head = { 'oslo-bus': 'recording', v: 1, at, source, url, masked } as const;
    return { ...head, ...(cluster !== undefined && { cluster }) };
  }

  private recordOf(value: Record<string, unknown>): TrafficRecord {
    for (const [name, isRight] of Object.entries(FIELDS)) {
      if (!isRight(value[name])) throw this.refusal(`its '${name}' is not what it should be`);
    }
    const known = Object.entries(value).filter(([name]) => Object.hasOwn(FIELDS, name));
    return Object.fromEntries(known) as unknown as TrafficRecord;
  }

  private refusal(reason: string, cause?: unknown): MalformedMessage {
    return new MalformedMessage(`line ${this.line} of the recording: ${reason}`, { cause, fault: 'caller' });
  }
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
/** A moment that a `Date` can have. */
const isTime: Check = (value) => typeof value === 'number' && value >= 0 && value <= 8.64e15;
const isAmount: Check = (value) => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);

function optional(check: Check): Check {
  return (value) => value === undefined || check(value);
}

const FIELDS: Readonly<Record<keyof TrafficRecord, Check>> = {
  t: isTime,
  ev: (value) => value === 'publish' || value === 'deliver',
  exchange: isText,
  key: isText,
  queue: optional(isText),
  routed: optional(isTexts),
  conn: optional(isText),
  node: optional(isText),
  user: optional(isText),
  redelivered: optional((value) => typeof value === 'boolean'),
  expirationMs: optional(isAmount),
  size: isAmount,
  message: optional(isRecord),
  problem: optional(isText),
};
