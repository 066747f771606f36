/** The characters of `\d`, `\s` and `\w` in Python: for texts, and with the flag `a`. As the inside of a set. */
const UNICODE = {
  d: String.raw`\p{Nd}`,
  s: String.raw`\x09-\x0d\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`,
  w: String.raw`\p{L}\p{N}_`,
};
const ASCII = { d: '0-9', s: String.raw`\x09-\x0d\x20`, w: 'a-zA-Z0-9_' };

/** The set of a class escape: `\d`, `\D`, `\s`, `\S`, `\w`, `\W`. Undefined for other letters. */
export function classOf(letter: string, ascii: boolean): string | undefined {
  const inside = (ascii ? ASCII : UNICODE)[letter.toLowerCase() as 'd' | 's' | 'w'];
  if (inside === undefined) return undefined;
  return letter === letter.toLowerCase() ? `[${inside}]` : `[^${inside}]`;
}

/** `\b`: between a word's character and another, or none. */
export function wordBoundary(ascii: boolean): string {
  const word = classOf('w', ascii)!;
  return `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`;
}

/** Any character as itself, inside a set or outside. */
export function literal(character: string): string {
  return /^[a-zA-Z0-9_]$/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
