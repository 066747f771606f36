/** A character as it is written, `*` and `?` too, or a set. */
type GlobPart = string | { not: boolean; ranges: readonly (readonly [string, string])[] };

/**
 * A pattern over the whole of a text, as Python's `fnmatch`: `*`, `?`, `[abc]`, `[a-z]`, `[!a-z]`.
 *
 * Takes time proportional to pattern times text at most: texts come from the network.
 */
export class Glob {
  /** Per place what it takes; `run` for a `*`. */
  private readonly parts: readonly ('run' | ((character: string) => boolean))[];

  constructor(readonly pattern: string) {
    this.parts = partsOf([...pattern]).map((part) => (part === '*' ? 'run' : takes(part)));
  }

  matches(text: string): boolean {
    const characters = [...text];
    let at = 0;
    let part = 0;
    // The place to go on at when the rest after the last `*` does not fit: one character further.
    let runPart = -1;
    let runAt = 0;
    while (at < characters.length) {
      const current = this.parts[part];
      if (current === 'run') {
        runPart = part++;
        runAt = at;
      } else if (current?.(characters[at]!)) {
        part++;
        at++;
      } else if (runPart >= 0) {
        part = runPart + 1;
        at = ++runAt;
      } else {
        return false;
      }
    }
    while (this.parts[part] === 'run') part++;
    return part === this.parts.length;
  }
}

function takes(part: GlobPart): (character: string) => boolean {
  if (part === '?') return () => true;
  if (typeof part === 'string') return (character) => character === part;
  const { not, ranges } = part;
  return (character) => ranges.some(([from, to]) => from <= character && character <= to) !== not;
}

function partsOf(pattern: readonly string[]): GlobPart[] {
  const parts: GlobPart[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const end = pattern[at] === '[' ? endOfSet(pattern, at) : -1;
    if (end === -1) {
      parts.push(pattern[at]!);
    } else {
      parts.push(setOf(pattern.slice(at + 1, end)));
      at = end;
    }
  }
  return parts;
}

/** A `]` right after the opening belongs to the set; without a closing one `[` is an ordinary character. */
function endOfSet(pattern: readonly string[], start: number): number {
  const first = pattern[start + 1] === '!' ? start + 2 : start + 1;
  return pattern.indexOf(']', first + 1);
}

function setOf(inside: readonly string[]): GlobPart {
  const not = inside[0] === '!';
  const characters = not ? inside.slice(1) : inside;
  const ranges: [string, string][] = [];
  for (let at = 0; at < characters.length; at++) {
    const from = characters[at]!;
    const isRange = characters[at + 1] === '-' && at + 2 < characters.length;
    ranges.push([from, isRange ? characters[at + 2]! : from]);
    if (isRange) at += 2;
  }
  return { not, ranges };
}
