import { ConfigurationError } from '../../errors/configuration.errors.js';
import { classOf, literal, wordBoundary } from './python-character-classes.js';
import { PythonSetReader } from './python-set-reader.js';
import { readEscape } from './python-escape.js';

/** Only an atom can be repeated. */
type Last = 'assertion' | 'atom' | 'nothing';

// With the flag `s`, which the translation needs, a dot is any character.
const START = '(?<!.)';
const END = '(?!.)';
const LOOK_AROUNDS = ['?<=', '?<!', '?=', '?!'];

/** Rewrites one pattern of Python's `re` for JavaScript's `v` mode, in one pass. */
export class PythonPatternReader {
  private readonly characters: readonly string[];
  private readonly names = new Set<string>();
  private at = 0;
  private readonly flags = new Set<string>();
  private open: Last[] = [];
  private last: Last = 'nothing';

  constructor(private readonly source: string) {
    this.characters = [...source];
  }

  read(): { translated: string; flags: string } {
    this.readFlags();
    let translated = '';
    while (this.at < this.characters.length) translated += this.readNext();
    if (this.open.length > 0) throw this.refuse('a group is not closed');
    // The others are part of the translation.
    return { translated, flags: this.flags.has('i') ? 'i' : '' };
  }

  /** `(?im)` and the like, which Python allows only in front. */
  private readFlags(): void {
    while (this.starts('(?')) {
      const end = this.characters.indexOf(')', this.at);
      const flags = this.between(this.at + 2, Math.max(end, 0));
      if (!/^[a-zA-Z]+$/.test(flags)) return;
      const unknown = [...flags].find((flag) => !'aimsux'.includes(flag));
      if (unknown !== undefined) throw this.refuse(`the flag '${unknown}' is not one for texts`);
      for (const flag of flags) this.flags.add(flag);
      this.at = end + 1;
      if (this.flags.has('a') && this.flags.has('u')) throw this.refuse("'a' and 'u' exclude each other");
      if (this.flags.has('a') && this.flags.has('i')) throw this.refuse("'a' with 'i' has no counterpart");
    }
  }

  private readNext(): string {
    const character = this.characters[this.at++]!;
    switch (character) {
      case '(':
        return this.openGroup();
      case ')':
        return this.closeGroup();
      case '|':
        this.last = 'nothing';
        return '|';
      case '[':
        return this.atom(this.readSet());
      case '\\':
        return this.readEscape();
      case '.':
        return this.atom(this.flags.has('s') ? '.' : String.raw`[^\n]`);
      case '^':
        return this.assertion(this.flags.has('m') ? String.raw`(?<=\n|${START})` : START);
      case '$':
        return this.assertion(this.flags.has('m') ? String.raw`(?=\n|${END})` : String.raw`(?=\n?${END})`);
      default:
        return this.readPlain(character);
    }
  }

  private readPlain(character: string): string {
    if ('*+?'.includes(character)) return this.quantifier(character);
    if (character === '{') {
      const bounds = /^(\d*)(,?)(\d*)\}/.exec(this.between(this.at, this.at + 32));
      if (bounds && bounds[0] !== '}') return this.boundedQuantifier(bounds);
    }
    if (this.flags.has('x')) {
      if (/[ \t\n\r\f\v]/.test(character)) return '';
      if (character === '#') return this.skipComment();
    }
    return this.atom(literal(character));
  }

  private boundedQuantifier(bounds: RegExpExecArray): string {
    this.at += bounds[0].length;
    const [, from, comma, to] = bounds;
    return this.quantifier(`{${from === '' ? '0' : from}${comma}${to}}`);
  }

  private quantifier(text: string): string {
    if (this.last !== 'atom') throw this.refuse('there is nothing to repeat');
    this.last = 'nothing';
    if (this.characters[this.at] === '+') throw this.refuse('possessive quantifiers have no counterpart');
    if (this.characters[this.at] !== '?') return text;
    this.at++;
    return `${text}?`;
  }

  private skipComment(): string {
    const end = this.characters.indexOf('\n', this.at);
    this.at = end === -1 ? this.characters.length : end + 1;
    return '';
  }

  private openGroup(): string {
    const commentEnd = this.starts('?#') ? this.characters.indexOf(')', this.at) : -1;
    if (commentEnd !== -1) {
      this.at = commentEnd + 1;
      return '';
    }
    const around = LOOK_AROUNDS.find((opening) => this.starts(opening));
    // A repeated lookahead has no counterpart in this mode.
    this.open.push(around === undefined ? 'atom' : 'assertion');
    this.last = 'nothing';
    if (around !== undefined) {
      this.at += around.length;
      return `(${around}`;
    }
    // Nobody looks at the groups, so none is captured.
    if (this.starts('?:')) this.at += 2;
    else if (this.starts('?')) this.openNamedGroup();
    return '(?:';
  }

  private openNamedGroup(): void {
    const end = this.starts('?P<') ? this.characters.indexOf('>', this.at) : -1;
    if (end === -1) throw this.refuse(`the group '(${this.between(this.at, this.at + 3)}' has no counterpart`);
    const name = this.between(this.at + 3, end);
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) throw this.refuse(`'${name}' is no name of a group`);
    if (this.names.has(name)) throw this.refuse(`there are two groups '${name}'`);
    this.names.add(name);
    this.at = end + 1;
  }

  private closeGroup(): string {
    const group = this.open.pop();
    if (group === undefined) throw this.refuse('a group is closed that was not opened');
    this.last = group;
    return ')';
  }

  private readSet(): string {
    const reader = new PythonSetReader(this.characters, this.at, this.flags.has('a'), (why) => this.refuse(why));
    const set = reader.read();
    this.at = reader.end;
    return set;
  }

  private readEscape(): string {
    const letter = this.characters[this.at];
    const ascii = this.flags.has('a');
    if (letter !== undefined && 'AZbB'.includes(letter)) {
      this.at++;
      const boundary = wordBoundary(ascii);
      return this.assertion({ A: START, Z: END, b: boundary, B: `(?!${boundary})` }[letter]!);
    }
    const set = letter && classOf(letter, ascii);
    if (set) {
      this.at++;
      return this.atom(set);
    }
    if (letter !== undefined && /^[1-9]$/.test(letter) && !/^[0-7]{3}/.test(this.between(this.at, this.at + 3))) {
      throw this.refuse('backreferences have no exact counterpart');
    }
    const escape = readEscape(this.characters, this.at, (why) => this.refuse(why));
    this.at = escape.end;
    return this.atom(literal(escape.character));
  }

  /** Looks no further than it must: the whole rest, at each place, would cost the square of the length. */
  private starts(text: string): boolean {
    return this.between(this.at, this.at + text.length) === text;
  }

  private between(start: number, end: number): string {
    return this.characters.slice(start, end).join('');
  }

  private atom(text: string): string {
    this.last = 'atom';
    return text;
  }

  private assertion(text: string): string {
    this.last = 'assertion';
    return text;
  }

  private refuse(why: string): ConfigurationError {
    return new ConfigurationError(`The regular expression '${this.source}' cannot be used: ${why}`, this.source);
  }
}
