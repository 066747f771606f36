import { ConfigurationError } from '../../errors/configuration.errors.js';
import { isRecord } from '../../wire/json/is-record.js';
import { Glob } from './glob.js';
import { PythonPattern } from './python-pattern.js';

/**
 * Anything that can tell whether a text fits; a rule of one's own.
 *
 * @publicApi
 */
export interface TextPattern {
  matches(text: string): boolean;
}

/**
 * A string is a glob over the whole text (`compute.instance.*`), a RegExp is tested as it is; these take
 * only texts. A plain value takes what equals it.
 *
 * @publicApi
 */
export type FilterRule = RegExp | TextPattern | boolean | number | string | null;

/**
 * Which notifications a listener takes; all that is given must match.
 *
 * @publicApi
 */
export interface NotificationFilterOptions {
  eventType?: FilterRule;
  publisherId?: FilterRule;
  /** Per key of the request context. */
  context?: Readonly<Record<string, FilterRule>>;
  /** Of `message_id` and `timestamp`. */
  metadata?: Readonly<Record<string, FilterRule>>;
  /** Per top-level key of the payload. */
  payload?: Readonly<Record<string, FilterRule>>;
}

/**
 * The arguments of Python's `NotificationFilter`: regular expressions, anchored at the start only.
 *
 * @publicApi
 */
export interface OsloFilterRules {
  event_type?: string | null;
  publisher_id?: string | null;
  context?: Readonly<Record<string, string>> | null;
  metadata?: Readonly<Record<string, string>> | null;
  payload?: Readonly<Record<string, string>> | null;
}

/**
 * The fields that a filter reads.
 *
 * @publicApi
 */
export interface FilteredNotification {
  eventType?: unknown;
  publisherId?: unknown;
  context: unknown;
  metadata: unknown;
  payload: unknown;
}

type Test = (value: unknown) => boolean;
type Field = keyof FilteredNotification;

/**
 * Decides whether a listener takes a notification. A rule that cannot apply (a missing key, another type, a
 * payload that is no object) is a mismatch, never an error.
 *
 * @example
 * ```ts
 * new NotificationFilter({ eventType: 'compute.instance.*', payload: { state: /^(active|error)$/ } });
 * NotificationFilter.fromOslo({ event_type: '^compute\\.', context: { project_id: '^5f643cfc' } });
 * ```
 *
 * @publicApi
 */
export class NotificationFilter {
  private readonly tests: readonly (readonly [field: Field, key: string | undefined, test: Test])[];

  /** @throws ConfigurationError a rule of another kind */
  constructor(options: NotificationFilterOptions = {}) {
    this.tests = testsOf(options);
  }

  /**
   * With the rules, and the meaning, of Python's `NotificationFilter`: `re.match`, top-level keys only.
   *
   * @throws ConfigurationError not valid in Python, or one of the few expressions without a counterpart here
   */
  static fromOslo(rules: OsloFilterRules): NotificationFilter {
    return new NotificationFilter({
      ...(isGiven(rules.event_type) && { eventType: new PythonPattern(rules.event_type) }),
      ...(isGiven(rules.publisher_id) && { publisherId: new PythonPattern(rules.publisher_id) }),
      context: patternsOf(rules.context),
      metadata: patternsOf(rules.metadata),
      payload: patternsOf(rules.payload),
    });
  }

  matches(notification: FilteredNotification): boolean {
    return this.tests.every(([field, key, test]) => {
      if (key === undefined) return test(notification[field]);
      const items = notification[field];
      return isRecord(items) && Object.hasOwn(items, key) && test(items[key]);
    });
  }
}

function testsOf(options: NotificationFilterOptions): (readonly [Field, string | undefined, Test])[] {
  const single = (['eventType', 'publisherId'] as const).flatMap((field) => {
    const rule = options[field];
    return rule === undefined ? [] : [[field, undefined, testOf(rule)] as const];
  });
  const keyed = (['context', 'metadata', 'payload'] as const).flatMap((field) => {
    const given = options[field] ?? {};
    if (!isRecord(given)) throw new ConfigurationError(`The filter of ${field} must be an object of rules`, given);
    return Object.entries(given).map(([key, rule]) => [field, key, testOf(rule)] as const);
  });
  return [...single, ...keyed];
}

function testOf(rule: FilterRule): Test {
  if (rule === null || typeof rule === 'boolean' || typeof rule === 'number') return (value) => value === rule;
  const pattern = textPatternOf(rule);
  return (value) => typeof value === 'string' && pattern.matches(value);
}

function textPatternOf(rule: RegExp | TextPattern | string): TextPattern {
  if (typeof rule === 'string') return new Glob(rule);
  if (rule instanceof RegExp) return statelessly(new RegExp(rule.source, rule.flags));
  if (typeof rule?.matches === 'function') return rule;
  throw new ConfigurationError('A filter rule must be a glob, a RegExp, or a plain value', rule);
}

/** With the flags `g` and `y` a RegExp would go on where it ended. */
function statelessly(regExp: RegExp): TextPattern {
  return {
    matches: (text) => {
      regExp.lastIndex = 0;
      return regExp.test(text);
    },
  };
}

function isGiven(rule: string | null | undefined): rule is string {
  return rule !== undefined && rule !== null;
}

function patternsOf(rules: Readonly<Record<string, string>> | null | undefined): Record<string, PythonPattern> {
  return Object.fromEntries(Object.entries(rules ?? {}).map(([key, rule]) => [key, new PythonPattern(rule)]));
}
