import { ConfigurationError } from '../errors/configuration.errors.js';
import { withOriginsOf } from './option-origins.js';

/** The values that an option may have. */
export type OptionRule = (
  | { readonly type: 'boolean' | 'string' }
  /** A string that is not empty; a variable of the environment that is not set is often ''. */
  | { readonly type: 'name' }
  | { readonly type: 'choice'; readonly choices: readonly string[]; readonly anyCase?: boolean }
  | { readonly type: 'integer' | 'number'; readonly min?: number; readonly max?: number }
  /** 0 or more; `Infinity`: without limit. */
  | { readonly type: 'milliseconds' | 'seconds' }
  | { readonly type: 'function' | 'list' | 'names' | 'strings' | 'symbol' | 'version' }
  /** With these methods. */
  | { readonly type: 'object'; readonly methods?: readonly string[] }
  /** Whatever it is, whoever takes it checks it. */
  | { readonly type: 'checked' }
) & {
  /** True when null stands for the default. */
  readonly nullable?: boolean;
};

/** A rule for each option of a bag. */
export type OptionRules<Options> = { readonly [Name in keyof Required<Options>]: OptionRule };

/** @throws ConfigurationError naming the option, the value and what is allowed */
export function checkOption(name: string, value: unknown, rule: OptionRule): void {
  if (!isAllowed(value, rule)) {
    throw new ConfigurationError(`Option ${name} must be ${describeRule(rule)}, not ${show(value)}`, value);
  }
}

/**
 * Checks a whole bag of options; `undefined` counts as absent.
 *
 * @throws ConfigurationError an option that there is none of, or a value that makes no sense
 */
export function checkOptions<Options extends object>(
  what: string,
  options: Options | undefined,
  rules: OptionRules<Options>,
): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ConfigurationError(`${what} takes its options as an object, not ${show(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(rules, name)) throw unknownOption(what, name, Object.keys(rules));
    checkOption(name, value, rules[name as keyof Options]);
  }
}

/** The options of a larger bag that are among these; `undefined` is not set. */
export function pickOptions<Options extends object>(options: Options, rules: OptionRules<Options>): Options {
  const names = Object.keys(rules) as (keyof Options)[];
  const picked = names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]));
  return withOriginsOf(options, Object.fromEntries(picked) as Options);
}

/** The object, whose properties of these names may hold secrets: they are shown by nobody, neither by `inspect` nor as JSON. */
export function hiding<Options extends object>(names: readonly (keyof Options)[], options: Options): Options {
  for (const name of names) Object.defineProperty(options, name, { value: options[name], enumerable: false });
  return options;
}

/** `names`: what there is. */
export function unknownOption(what: string, name: string, names: readonly string[]): ConfigurationError {
  const near = nearest(name, names);
  const hint = near === undefined ? '' : `: did you mean '${near}'?`;
  return new ConfigurationError(`${what} has no option '${name}'${hint}`, name);
}

/** @throws ConfigurationError for what is no time to wait; `Infinity` is: without limit */
export function checkWaitingTime(name: string, ms: number): number {
  checkOption(name, ms, { type: 'milliseconds' });
  return ms;
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
    default:
      return text;
  }
}

const descriptions = {
  boolean: 'true or false',
  checked: 'something else',
  function: 'a function',
  list: 'a list',
  milliseconds: 'a number of milliseconds, 0 or more',
  name: 'a string that is not empty',
  names: 'a list of names',
  object: 'an object',
  seconds: 'a number of seconds, 0 or more',
  string: 'a string',
  strings: 'a list of strings',
  symbol: 'a symbol',
  version: "a version such as '1.0'",
} as const;

/** The rule for the value, in words. */
export function describeRule(rule: OptionRule): string {
  const described = describeType(rule);
  return rule.nullable ? `${described}, or null` : described;
}

function describeType(rule: OptionRule): string {
  switch (rule.type) {
    case 'choice':
      return `one of ${rule.choices.join(', ')}`;
    case 'object':
      return rule.methods ? `an object with ${rule.methods.join(' and ')}` : descriptions.object;
    case 'integer':
    case 'number':
      return (rule.type === 'integer' ? 'an integer' : 'a number') + describeRange(rule);
    default:
      return descriptions[rule.type];
  }
}

function isAllowed(value: unknown, rule: OptionRule): boolean {
  if (value === null && rule.nullable) return true;
  switch (rule.type) {
    case 'boolean':
    case 'function':
    case 'string':
    case 'symbol':
      return typeof value === rule.type;
    case 'choice':
      return typeof value === 'string' && isChoice(value, rule);
    case 'integer':
    case 'number':
      return isNumber(value, rule);
    case 'milliseconds':
    case 'seconds':
      return typeof value === 'number' && value >= 0;
    case 'name':
      return isName(value);
    case 'list':
      return Array.isArray(value);
    case 'names':
      return Array.isArray(value) && value.every(isName);
    case 'strings':
      return Array.isArray(value) && value.every((one) => typeof one === 'string');
    case 'object':
      return isObject(value, rule.methods ?? []);
    case 'version':
      return typeof value === 'string' && /^\d+(?:\.\d+)+$/.test(value);
    case 'checked':
      return true;
  }
}

function isObject(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

function isChoice(value: string, { choices, anyCase }: { choices: readonly string[]; anyCase?: boolean }): boolean {
  const same = (choice: string): boolean => choice.toLowerCase() === value.toLowerCase();
  return anyCase ? choices.some(same) : choices.includes(value);
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isNumber(value: unknown, rule: { type: string; min?: number; max?: number }): boolean {
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  if (rule.type === 'integer' && !Number.isSafeInteger(value)) return false;
  return value >= (rule.min ?? -Infinity) && value <= (rule.max ?? Infinity);
}

function describeRange({ min, max }: { min?: number; max?: number }): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  return min === undefined ? '' : ` of at least ${min}`;
}

function readBoolean(value: string): boolean | undefined {
  if (['true', '1', 'on', 'yes'].includes(value)) return true;
  return ['false', '0', 'off', 'no'].includes(value) ? false : undefined;
}

/** In words; never what an object holds, which may be a secret. */
function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 100 ? `${value.slice(0, 100)}…` : value}'`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** The one that was meant, as far as can be told: another spelling, or two letters apart at most. */
function nearest(name: string, names: readonly string[]): string | undefined {
  if (name.length > 60) return undefined;
  const alike = names.find((other) => plain(other) === plain(name));
  if (alike !== undefined) return alike;
  const ranked = names
    .map((other) => [distance(plain(name), plain(other)), other] as const)
    .toSorted(([a], [b]) => a - b);
  const [best] = ranked;
  return best && best[0] <= Math.min(2, Math.floor(name.length / 3)) ? best[1] : undefined;
}

/** Without what tells `snake_case` from `camelCase`. */
function plain(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Levenshtein's. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
