import { MalformedMessage } from '../../errors/wire.errors.js';

/** Less deep ones are read in milliseconds; a handler that walks through it recursively fails by itself. */
const greatestDepth = 131_072;

/** Most values take less; an object with keys of its own takes more. */
const bytesPerValue = 64;
/** Of a text whose values are not counted: common ones take less. */
const bytesPerCharacter = 4;

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Looks at a text before it is parsed: millions of small values fill the memory with many times their text, and what is
 * nested deep costs whoever walks through it. Returns about how many bytes it takes when it is parsed.
 *
 * @throws MalformedMessage
 */
export function boundedWeight(text: string, maxValues: number): number {
  // A shorter text can neither hold too many values, nor be nested too deep.
  if (text.length <= Math.min(greatestDepth, maxValues)) return text.length * bytesPerCharacter;
  return text.length + countValues(text, maxValues) * bytesPerValue;
}

function countValues(text: string, maxValues: number): number {
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
  return values;
}

/** The end of the string that begins there; the last character where it does not. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
  }
  return text.length;
}

/** About how many bytes a value takes that was parsed; of what is nested it counts all, however deep. */
export function heldBytes(value: unknown): number {
  let bytes = 0;
  const open = [value];
  while (open.length > 0) {
    const one = open.pop();
    bytes += bytesPerValue;
    if (typeof one === 'string') bytes += one.length;
    else if (Array.isArray(one)) for (const item of one) open.push(item);
    else if (typeof one === 'object' && one !== null) for (const item of Object.values(one)) open.push(item);
  }
  return bytes;
}
