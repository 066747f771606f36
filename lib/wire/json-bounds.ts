import { MalformedMessage } from '../errors/wire.errors.js';

/** A shorter text is cheap whatever it holds. */
const looksHarmlessUpTo = 65_536;
/** What is less deep is read in milliseconds; a handler that walks through it recursively fails by itself. */
const greatestDepth = 131_072;

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Looks at a text before it is parsed: millions of small values fill the memory with many times their text, and what is
 * nested deep costs whoever walks through it.
 *
 * @throws MalformedMessage
 */
export function requireBounded(text: string, maxValues: number): void {
  if (text.length <= looksHarmlessUpTo) return;
  let [values, depth] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === COMMA) {
      if (++values > maxValues) throw new MalformedMessage(`more than ${maxValues} values (maxMessageValues)`);
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      values += 1;
      if (++depth > greatestDepth) throw new MalformedMessage(`nested deeper than ${greatestDepth} levels`);
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      depth -= 1;
    }
  }
}

/** Where the string that begins there ends; the last character where it does not. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
  }
  return text.length;
}
