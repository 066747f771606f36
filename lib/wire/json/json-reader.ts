import { MalformedMessage } from '../../errors/wire.errors.js';

/** An array or object that is still being read. */
type OpenContainer = { array: unknown[] } | { object: Record<string, unknown>; key: string };

/** Returned in place of a value while the inside of a container is read first. */
const OPENED = Symbol('opened');

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORD = /(?:true|false|null|NaN|-?Infinity)/y;
const WORDS = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

/** Python refuses to read longer ones too (`sys.int_info.default_max_str_digits`): their cost grows faster than their length. */
const MOST_DIGITS = 4300;

/**
 * Reads what `JSON.parse` cannot: integers of any size exactly, and the bare words `NaN`,
 * `Infinity` and `-Infinity`.
 *
 * As strict as `JSON.parse` in everything else. One pass, and no recursion, so that nesting costs
 * memory instead of the stack.
 */
export class JsonReader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly integers: 'exact' | 'number',
  ) {}

  read(): unknown {
    const open: OpenContainer[] = [];
    let value = this.readValue(open);
    for (;;) {
      if (value === OPENED) {
        value = this.readValue(open);
        continue;
      }
      const parent = open.at(-1);
      if (parent === undefined) return this.complete(value);
      append(parent, value);
      if (this.endsWithin(parent)) {
        open.pop();
        value = 'array' in parent ? parent.array : parent.object;
      } else {
        value = this.readValue(open);
      }
    }
  }

  private readValue(open: OpenContainer[]): unknown {
    this.skipSpace();
    switch (this.text[this.at]) {
      case '{':
        return this.openObject(open);
      case '[':
        return this.openArray(open);
      case '"':
        return this.readString();
      default:
        return this.readScalar();
    }
  }

  private openArray(open: OpenContainer[]): unknown {
    this.at++;
    this.skipSpace();
    if (this.skip(']')) return [];
    open.push({ array: [] });
    return OPENED;
  }

  private openObject(open: OpenContainer[]): unknown {
    this.at++;
    this.skipSpace();
    if (this.skip('}')) return {};
    open.push({ object: {}, key: this.readKey() });
    return OPENED;
  }

  /** After a value: on to the next one (false), or past the container's end (true). */
  private endsWithin(parent: OpenContainer): boolean {
    this.skipSpace();
    if (this.skip(',')) {
      if ('object' in parent) parent.key = this.readKey();
      return false;
    }
    if (this.skip('array' in parent ? ']' : '}')) return true;
    throw this.unexpected();
  }

  private readKey(): string {
    this.skipSpace();
    if (this.text[this.at] !== '"') throw this.unexpected();
    const key = this.readString();
    this.skipSpace();
    if (!this.skip(':')) throw this.unexpected();
    return key;
  }

  private readString(): string {
    const start = this.at;
    let end = start;
    do {
      end = this.text.indexOf('"', end + 1);
      if (end === -1) throw this.unexpected();
    } while (this.isEscaped(end));
    this.at = end + 1;
    try {
      return JSON.parse(this.text.slice(start, end + 1)) as string;
    } catch {
      this.at = start;
      throw this.unexpected();
    }
  }

  private isEscaped(quote: number): boolean {
    let before = quote;
    while (this.text[before - 1] === '\\') before--;
    return (quote - before) % 2 === 1;
  }

  private readScalar(): unknown {
    WORD.lastIndex = this.at;
    const word = WORD.exec(this.text)?.[0];
    if (word !== undefined) {
      this.at += word.length;
      return WORDS.get(word);
    }
    NUMBER.lastIndex = this.at;
    const number = NUMBER.exec(this.text);
    if (number === null) throw this.unexpected();
    this.at += number[0].length;
    const isInteger = number[1] === undefined && number[2] === undefined;
    return isInteger && this.integers === 'exact' ? this.exactInteger(number[0]) : Number(number[0]);
  }

  private exactInteger(digits: string): bigint | number {
    const near = Number(digits);
    if (Number.isSafeInteger(near)) return near;
    if (digits.replace('-', '').length > MOST_DIGITS)
      throw new MalformedMessage(`an integer of ${digits.length} digits`);
    return BigInt(digits);
  }

  private complete(value: unknown): unknown {
    this.skipSpace();
    if (this.at < this.text.length) throw this.unexpected();
    return value;
  }

  private skip(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  private unexpected(): MalformedMessage {
    const found = this.at < this.text.length ? 'unexpected text' : 'unexpected end';
    return new MalformedMessage(`not JSON: ${found} at position ${this.at}`);
  }
}

function append(parent: OpenContainer, value: unknown): void {
  if ('array' in parent) {
    parent.array.push(value);
  } else if (parent.key === '__proto__') {
    Object.defineProperty(parent.object, parent.key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    parent.object[parent.key] = value;
  }
}
