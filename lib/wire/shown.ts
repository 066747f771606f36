import { maskSecrets, printable } from './redaction.js';

/** Masked before it is cut: half a secret is not recognised. */
const MARGIN = 2000;

/** A text that a peer chose, fit for one line of a log: it can neither fill it, nor forge lines, nor tell secrets. */
export function shown(text: string | undefined, length = 200): string {
  return printable(maskSecrets((text ?? 'none').slice(0, length + MARGIN)).slice(0, length));
}
