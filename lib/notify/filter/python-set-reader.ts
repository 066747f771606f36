import { classOf, literal } from './python-character-classes.js';
import { readEscape } from './python-escape.js';

/** Reads one `[…]` of a Python pattern, `start` being the place after its opening. */
export class PythonSetReader {
  /** The place after its closing. */
  end: number;

  constructor(
    private readonly characters: readonly string[],
    start: number,
    private readonly ascii: boolean,
    private readonly refuse: (why: string) => Error,
  ) {
    this.end = start;
  }

  read(): string {
    const negated = this.skip('^');
    let inside = '';
    for (let first = true; first || this.characters[this.end] !== ']'; first = false) inside += this.readItem();
    this.end++;
    return `[${negated ? '^' : ''}${inside}]`;
  }

  /** One character, one class, or a range. */
  private readItem(): string {
    const from = this.readOne();
    const isRange = this.characters[this.end] === '-' && this.characters[this.end + 1] !== ']';
    if (!isRange) return from.set ?? literal(from.character);
    this.end++;
    const to = this.readOne();
    if (
      from.set !== undefined ||
      to.set !== undefined ||
      from.character.codePointAt(0)! > to.character.codePointAt(0)!
    ) {
      throw this.refuse('a range of characters is wrong');
    }
    return `${literal(from.character)}-${literal(to.character)}`;
  }

  private readOne(): { character: string; set?: string } {
    const character = this.characters[this.end];
    if (character === undefined) throw this.refuse('a set is not closed');
    this.end++;
    if (character !== '\\') return { character };
    const letter = this.characters[this.end];
    const set = letter && classOf(letter, this.ascii);
    if (set) {
      this.end++;
      return { character: '', set };
    }
    if (letter === 'b') {
      this.end++;
      return { character: '\b' };
    }
    const escape = readEscape(this.characters, this.end, this.refuse);
    this.end = escape.end;
    return escape;
  }

  private skip(character: string): boolean {
    if (this.characters[this.end] !== character) return false;
    this.end++;
    return true;
  }
}
