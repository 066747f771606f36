import { styleText } from 'node:util';

/** The meaning of a word, which a terminal shows as a colour. */
export type Tone = 'bad' | 'doubtful' | 'good';

/** A line with one word that is toned. */
export interface TonedLine {
  readonly before: string;
  readonly word: string;
  readonly tone: Tone;
  readonly after: string;
}

export type Line = TonedLine | string;

/** A line that ends with a word that is toned, and what is said of it. */
export type TonedEnd = Omit<TonedLine, 'before'>;

/** The values of `--color`. */
export const COLOR_CHOICES = ['auto', 'always', 'never'] as const;
export type ColorChoice = (typeof COLOR_CHOICES)[number];

const PRIORITY_TONES: Readonly<Record<string, Tone>> = { critical: 'bad', error: 'bad', warn: 'doubtful' };
const FORMATS = { bad: ['red', 'bold'], doubtful: 'yellow', good: 'green' } as const;

/** Of notifications. */
export function toneOfPriority(priority: string): Tone | undefined {
  return PRIORITY_TONES[priority.toLowerCase()];
}

/** The line without control characters and secrets, cut to so many characters. */
export function cutLine(line: Line, safe: (text: string) => string, length: number): Line {
  if (typeof line === 'string') return safe(line).slice(0, length);
  const before = safe(line.before).slice(0, length);
  const word = safe(line.word).slice(0, length - before.length);
  return { ...line, before, word, after: safe(line.after).slice(0, length - before.length - word.length) };
}

/** `auto`: on a terminal that can, unless NO_COLOR is set to something (https://no-color.org). */
export function isColored(
  choice: ColorChoice,
  isTerminal: boolean,
  { NO_COLOR, TERM }: Readonly<Record<string, string | undefined>>,
): boolean {
  if (choice !== 'auto') return choice === 'always';
  return isTerminal && !NO_COLOR && TERM !== 'dumb';
}

/** The line as it is printed. `safe` makes a text harmless; colours are of our own, and come after that. */
export function painted(line: Line, color: boolean, safe: (text: string) => string): string {
  if (typeof line === 'string') return safe(line);
  const { before, word, tone, after } = line;
  if (!color) return safe(`${before}${word}${after}`);
  const format = FORMATS[tone];
  // Newer versions of Node would look at stdout themselves, and at variables that we do not.
  const styled = styleText(typeof format === 'string' ? format : [...format], safe(word), { validateStream: false });
  return `${safe(before)}${styled}${safe(after)}`;
}
