const CONTROL: Readonly<Record<string, string>> = {
  a: '\u0007',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** The character that an escape stands for, `start` being the place after the backslash, and where it ends. */
export function readEscape(
  characters: readonly string[],
  start: number,
  refuse: (why: string) => Error,
): { character: string; end: number } {
  const letter = characters[start];
  if (letter === undefined) throw refuse('it ends with a backslash');
  const control = CONTROL[letter];
  if (control !== undefined) return { character: control, end: start + 1 };
  const digits = HEX_DIGITS[letter];
  if (digits !== undefined) return hexEscape(characters, start + 1, digits, refuse);
  if (/[0-7]/.test(letter)) return octalEscape(characters, start, refuse);
  if (/[a-zA-Z0-9]/.test(letter)) throw refuse(`'\\${letter}' is no escape that has a counterpart`);
  return { character: letter, end: start + 1 };
}

function hexEscape(
  characters: readonly string[],
  start: number,
  digits: number,
  refuse: (why: string) => Error,
): { character: string; end: number } {
  const text = characters.slice(start, start + digits).join('');
  const code = Number.parseInt(text, 16);
  if (!/^[0-9a-fA-F]+$/.test(text) || text.length < digits || code > 0x10ffff) throw refuse('an escape is incomplete');
  return { character: String.fromCodePoint(code), end: start + digits };
}

/** `\0` with up to two more octal digits, or three of them. */
function octalEscape(
  characters: readonly string[],
  start: number,
  refuse: (why: string) => Error,
): { character: string; end: number } {
  const digits = /^[0-7]{1,3}/.exec(characters.slice(start, start + 3).join(''))![0];
  const code = Number.parseInt(digits, 8);
  if (code > 0o377) throw refuse(`'\\${digits}' is out of range`);
  return { character: String.fromCodePoint(code), end: start + digits.length };
}
