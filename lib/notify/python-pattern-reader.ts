import { ConfigurationError } from '../errors/configuration.errors.js';
import { classOf, literal, wordBoundary } from './python-character-classes.js';
import { PythonSetReader } from './python-set-reader.js';
import { readEscape } from './python-escape.js';

/** What can be repeated is only an atom. */
type Last = 'assertion' | 'atom' | 'nothing';

// With the flag `s`, which the translation needs, a dot is any character.
const START = '(?<!.)';
const END = '(?!.)';

/** Rewrites one pattern of Python's `re` for JavaScript's `v` mode, in one pass. */
export class PythonPatternReader {
  private readonly characters: readonly string[];
  private readonly names = new Set<string>();
  private at = 0;
  private flags = '';
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
    return { translated, flags: this.flags.includes('i') ? 'i' : '' };
  }

  /** `(?im)` and the like, which Python allows only in front. */
  private readFlags(): void {
    for (;;) {
      const flags = /^\(\?([a-zA-Z]+)\)/.exec(this.characters.slice(this.at).join(''))?.[1];
      if (flags === undefined) return;
      const unknown = [...flags].find((flag) => !'aimsux'.includes(flag));
      if (unknown !== undefined) throw this.refuse(`the flag '${unknown}' is not one for texts`);
      this.flags += flags;
      this.at += flags.length + 3;
      if (this.flags.includes('a') && this.flags.includes('u')) throw this.refuse("'a' and 'u' exclude each other");
      if (this.flags.includes('a') && this.flags.includes('i')) throw this.refuse("'a' with 'i' has no counterpart");
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
        return this.atom(this.flags.includes('s') ? '.' : String.raw`[^\n]`);
      case '^':
        return this.assertion(this.flags.includes('m') ? String.raw`(?<=\n|${START})` : START);
      case '$':
        return this.assertion(this.flags.includes('m') ? String.raw`(?=\n|${END})` : String.raw`(?=\n?${END})`);
      default:
        return this.readPlain(character);
    }
  }

  private readPlain(character: string): string {
    if ('*+?'.includes(character)) return this.quantifier(character);
    if (character === '{') {
      const bounds = /^(\d*)(,?)(\d*)\}/.exec(this.characters.slice(this.at, this.at + 32).join(''));
      if (bounds && bounds[0] !== '}') return this.boundedQuantifier(bounds);
    }
    if (this.flags.includes('x')) {
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
    const rest = this.characters.slice(this.at).join('');
    const comment = /^\?#[^)]*\)/.exec(rest);
    if (comment) {
      this.at += [...comment[0]].length;
      return '';
    }
    const around = /^\?(?:<=|<!|=|!)/.exec(rest)?.[0];
    // What is repeated around a lookahead has no counterpart in this mode.
    this.open.push(around === undefined ? 'atom' : 'assertion');
    this.last = 'nothing';
    if (around !== undefined) {
      this.at += around.length;
      return `(${around}`;
    }
    // Nobody looks at the groups, so none is captured.
    if (rest.startsWith('?:')) this.at += 2;
    else if (rest.startsWith('?')) this.openNamedGroup(rest);
    return '(?:';
  }

  private openNamedGroup(rest: string): void {
    const name = /^\?P<([^>]*)>/.exec(rest)?.[1];
    if (name === undefined) throw this.refuse(`the group '(${rest.slice(0, 3)}' has no counterpart`);
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) throw this.refuse(`'${name}' is no name of a group`);
    if (this.names.has(name)) throw this.refuse(`there are two groups '${name}'`);
    this.names.add(name);
    this.at += [...name].length + 4;
  }

  private closeGroup(): string {
    const group = this.open.pop();
    if (group === undefined) throw this.refuse('a group is closed that was not opened');
    this.last = group;
    return ')';
  }

  private readSet(): string {
    const reader = new PythonSetReader(this.characters, this.at, this.flags.includes('a'), (why) => this.refuse(why));
    const set = reader.read();
    this.at = reader.end;
    return set;
  }

  private readEscape(): string {
    const letter = this.characters[this.at];
    const ascii = this.flags.includes('a');
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
    if (letter !== undefined && /^[1-9]$/.test(letter) && !/^[0-7]{3}/.test(this.octal())) {
      throw this.refuse('backreferences have no exact counterpart');
    }
    const escape = readEscape(this.characters, this.at, (why) => this.refuse(why));
    this.at = escape.end;
    return this.atom(literal(escape.character));
  }

  private octal(): string {
    return this.characters.slice(this.at, this.at + 3).join('');
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
