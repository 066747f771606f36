import { ConfigurationError } from '../errors/configuration.errors.js';

/** What the value of an option may be. */
export type OptionRule =
  | { readonly type: 'boolean' | 'string' }
  | { readonly type: 'choice'; readonly choices: readonly string[] }
  | { readonly type: 'integer' | 'number'; readonly min?: number; readonly max?: number };

/** @throws ConfigurationError naming the option, the value and what is allowed */
export function checkOption(name: string, value: unknown, rule: OptionRule): void {
  if (!isAllowed(value, rule)) {
    throw new ConfigurationError(`Option ${name} must be ${describeRule(rule)}, not ${show(value)}`, value);
  }
}

/** @throws ConfigurationError for what is no time to wait; `Infinity` is: without limit */
export function checkWaitingTime(name: string, ms: number): number {
  if (typeof ms === 'number' && ms >= 0) return ms;
  throw new ConfigurationError(`${name} must be a number of milliseconds, 0 or more`, ms);
}

/** Reads an option's text by the rules of oslo.config; undefined where it is no value of that type. */
export function readOption(text: string, rule: OptionRule): boolean | number | string | undefined {
  const value = text.trim();
  switch (rule.type) {
    case 'boolean':
      return readBoolean(value.toLowerCase());
    case 'integer':
      return /^[+-]?\d+$/.test(value) ? Number(value) : undefined;
    case 'number':
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value) ? Number(value) : undefined;
    case 'choice':
    case 'string':
      return text;
  }
}

/** What the value must be, for people. */
export function describeRule(rule: OptionRule): string {
  switch (rule.type) {
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'a string';
    case 'choice':
      return `one of ${rule.choices.join(', ')}`;
    case 'integer':
    case 'number':
      return (rule.type === 'integer' ? 'an integer' : 'a number') + describeRange(rule);
  }
}

function isAllowed(value: unknown, rule: OptionRule): boolean {
  switch (rule.type) {
    case 'boolean':
    case 'string':
      return typeof value === rule.type;
    case 'choice':
      return typeof value === 'string' && rule.choices.includes(value);
    case 'integer':
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) return false;
      if (rule.type === 'integer' && !Number.isSafeInteger(value)) return false;
      return value >= (rule.min ?? -Infinity) && value <= (rule.max ?? Infinity);
  }
}

function describeRange({ min, max }: { min?: number; max?: number }): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  return min === undefined ? '' : ` of at least ${min}`;
}

function readBoolean(value: string): boolean | undefined {
  if (['true', '1', 'on', 'yes'].includes(value)) return true;
  return ['false', '0', 'off', 'no'].includes(value) ? false : undefined;
}

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
