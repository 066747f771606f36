import { chainOf, gatheredBy, textOf } from '../errors/text-of.js';

/**
 * Why something has failed, for people: an error and what led to it, without the names of our classes. Our errors quote their
 * cause, and what lies below a quoted one is only how a library has put it, so it ends there.
 */
export function reasonText(error: unknown): string {
  const told: string[] = [];
  for (const one of chainOf(error)) {
    const text = wordsOf(one);
    if (told.some((before) => before.includes(text))) break;
    told.push(text);
  }
  return told.join(', caused by ');
}

/** Errors of programs are told with their names: alone their texts say little. */
function wordsOf(error: unknown): string {
  const gathered = gatheredBy(error).map(wordsOf);
  if (gathered.length > 0) return gathered.join('; ');
  const isProgramFault = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
  return error instanceof Error && !isProgramFault ? textOf(error).replace(/^\w+: /, '') : textOf(error);
}
