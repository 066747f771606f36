import { isSecretName, maskSecrets } from './redaction.js';

/** Stands in the place of a secret. */
export const MASK = '***';
/** Nobody reads what is nested deeper, and to walk through it recursively costs the stack. */
const GREATEST_DEPTH = 100;
const TOO_DEEP = '(nested too deep to be shown)';
/** A longer text is not searched: it is cut, as a secret may stand anywhere in it. */
const LONGEST_TEXT = 262_144;

/**
 * A copy of plain data without its secrets: values of keys that `isSecretName` knows, tokens and passwords inside texts. What
 * is nested deeper than 100 levels, and the rest of texts beyond 256 KiB, is left out.
 */
export function maskedValue(value: unknown): unknown {
  return masked(value, 0);
}

/** True when something was masked in it or left out, by whomever, or when it is nested too deep to be sure. */
export function holdsMask(value: unknown): boolean {
  return holdsMaskIn(value, 0);
}

function holdsMaskIn(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.includes(MASK) || value === TOO_DEEP || wasCut(value);
  if (typeof value !== 'object' || value === null) return false;
  return depth > GREATEST_DEPTH || Object.values(value).some((item) => holdsMaskIn(item, depth + 1));
}

function masked(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return maskedText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === GREATEST_DEPTH) return TOO_DEEP;
  if (Array.isArray(value)) return value.map((item) => masked(item, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    // Assigned, this key would change the copy's nature.
    if (key !== '__proto__') copy[key] = isSecret(key, item) ? MASK : masked(item, depth + 1);
  }
  return copy;
}

/** What is empty or a switch tells nothing. */
function isSecret(key: string, value: unknown): boolean {
  if (value === null || value === undefined || value === '' || typeof value === 'boolean') return false;
  return isSecretName(key);
}

function maskedText(text: string): string {
  if (text.length <= LONGEST_TEXT) return maskSecrets(text);
  return `${maskSecrets(text.slice(0, LONGEST_TEXT))}… (${text.length} characters)`;
}

function wasCut(text: string): boolean {
  return text.length > LONGEST_TEXT && /… \(\d+ characters\)$/.test(text.slice(-40));
}
