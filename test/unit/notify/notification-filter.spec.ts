import { describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  type FilterRule,
  NotificationFilter,
  type NotificationFilterOptions,
  type OsloFilterRules,
} from '../../../lib/index.js';

import { PythonPatternReader } from '../../../lib/notify/filter/python-pattern-reader.js';
import { readGolden } from '../../golden/read-golden.js';

interface PythonNotification {
  context: Record<string, unknown>;
  publisher_id: unknown;
  event_type: unknown;
  metadata: Record<string, unknown>;
  payload: unknown;
}

/** Recorded with the real `NotificationFilter`; 14.0.3 and 18.3.1 say the same. */
interface FilterTable {
  texts: string[];
  patterns: { pattern: string; matches?: string[]; invalid?: string }[];
  notification: PythonNotification;
  cases: { rules: OsloFilterRules; changes: Partial<PythonNotification>; outcome: boolean | string }[];
}

const table = readGolden('oslo_filter.18.3.1.json') as FilterTable;
const event = (eventType: string) => ({ eventType, context: {}, metadata: {}, payload: null });

describe('NotificationFilter.fromOslo', () => {
  /** Valid in Python, but without an exact counterpart. */
  const refused = new Set([
    '(a)\\1',
    '(?P<n>a)(?P=n)',
    '(?>a)',
    'a++',
    '(?i:a)',
    '(?-i:a)',
    '\\N{DIGIT ONE}',
    '(?=a)*',
    '(?ai)a',
  ]);
  /** Python knows no lookbehind of variable width; taking it harms nobody. */
  const beyondPython = new Set(['(?<=a|bc)d']);
  const valid = table.patterns.filter(({ pattern, matches }) => matches && !refused.has(pattern));
  const invalid = table.patterns.filter(({ pattern, matches }) => !matches && !beyondPython.has(pattern));

  it('knows enough patterns to be compared', () => {
    expect(valid.length).toBeGreaterThan(75);
    expect(invalid.length).toBeGreaterThan(20);
  });

  it.each(valid)('matches what Python does with $pattern', ({ pattern, matches }) => {
    const filter = NotificationFilter.fromOslo({ event_type: pattern });
    expect(table.texts.filter((text) => filter.matches(event(text)))).toEqual(matches);
  });

  it.each([...invalid.map(({ pattern }) => pattern), ...refused])('refuses %s', (pattern) => {
    expect(() => NotificationFilter.fromOslo({ event_type: pattern })).toThrow(ConfigurationError);
  });

  it.each(table.cases.map((each) => [JSON.stringify(each.rules), JSON.stringify(each.changes), each] as const))(
    'rules %s, notification with %s',
    (_rules, _changes, { rules, changes, outcome }) => {
      const { event_type: eventType, publisher_id: publisherId, ...rest } = { ...table.notification, ...changes };
      const matches = NotificationFilter.fromOslo(rules).matches({ eventType, publisherId, ...rest });
      // Where Python fails, and requeues for ever, a rule cannot apply.
      expect(matches).toBe(outcome === true);
    },
  );

  it('was compared where Python fails too', () => {
    expect(table.cases.filter(({ outcome }) => outcome === 'TypeError').length).toBeGreaterThan(10);
  });

  it.each(['()', '(?#x)', '(?i)', '(?=a)'])('reads many of %s in time in proportion to their number', (part) => {
    // A reader that looks back at all before it would need hours, and the test has minutes.
    expect(new PythonPatternReader(part.repeat(400_000)).read()).toBeDefined();
  });

  it('refuses a rule that is no text', () => {
    const rules = { payload: { count: 3 } } as unknown as OsloFilterRules;
    expect(() => NotificationFilter.fromOslo(rules)).toThrow(ConfigurationError);
  });
});

describe('NotificationFilter', () => {
  // Outcomes of Python's fnmatch.fnmatchcase.
  it.each([
    ['compute.instance.*', 'compute.instance.create.end', true],
    ['compute.instance.*', 'compute.instance', false],
    ['compute.instance.*', 'xcompute.instance.a', false],
    ['*.end', 'compute.instance.create.end', true],
    ['*.end', 'compute.end.start', false],
    ['compute', 'compute.instance', false],
    ['*', '', true],
    ['', 'a', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a?c', 'a\u{1f40e}c', true],
    ['[ab]*', 'bcd', true],
    ['[!ab]*', 'bcd', false],
    ['[a-c]x', 'bx', true],
    ['[]]', ']', true],
    ['[!]]', ']', false],
    ['[', '[', true],
    ['a[', 'a[', true],
    ['[a-]', '-', true],
    ['*a*b*c*', 'xxaxxbxxcxx', true],
    ['*a*b*c*', 'xxaxxcxxbxx', false],
    ['a.c', 'abc', false],
    ['a*', 'a\nb', true],
    ['A*', 'abc', false],
  ])('the glob %j takes %j: %s', (eventType, text, expected) => {
    expect(new NotificationFilter({ eventType }).matches(event(text))).toBe(expected);
  });

  it('a glob takes time in proportion to its text', () => {
    const filter = new NotificationFilter({ eventType: `${'*a'.repeat(30)}b` });
    expect(filter.matches(event('a'.repeat(20_000)))).toBe(false);
  });

  it('tests a RegExp as it is, the flags g and y included', () => {
    for (const flags of ['', 'g']) {
      const filter = new NotificationFilter({ eventType: new RegExp('end$', flags) });
      expect([1, 2, 3].map(() => filter.matches(event('compute.end')))).toEqual([true, true, true]);
    }
    const sticky = new NotificationFilter({ eventType: /compute/y });
    expect([sticky.matches(event('compute.a')), sticky.matches(event('compute.b'))]).toEqual([true, true]);
    expect(sticky.matches(event('a.compute'))).toBe(false);
  });

  it('compares plain values, and top-level keys only', () => {
    const filter = new NotificationFilter({
      publisherId: 'compute.*',
      context: { is_admin: true },
      payload: { state: /^act/, count: 3, fault: null },
    });
    const notification = {
      eventType: 'a',
      publisherId: 'compute.host1',
      context: { is_admin: true },
      metadata: {},
      payload: { state: 'active', count: 3, fault: null },
    };
    expect(filter.matches(notification)).toBe(true);
    expect(filter.matches({ ...notification, publisherId: undefined })).toBe(false);
    expect(filter.matches({ ...notification, payload: { ...notification.payload, count: '3' } })).toBe(false);
    expect(filter.matches({ ...notification, payload: { nested: notification.payload } })).toBe(false);
    expect(filter.matches({ ...notification, payload: null })).toBe(false);
    expect(filter.matches({ ...notification, context: {} })).toBe(false);
  });

  it('finds no key that an object only inherits', () => {
    const filter = new NotificationFilter({ payload: { toString: '*' } });
    expect(filter.matches({ context: {}, metadata: {}, payload: {} })).toBe(false);
  });

  it('refuses a rule of another kind', () => {
    const rule = { nested: 'a' } as unknown as FilterRule;
    expect(() => new NotificationFilter({ eventType: rule })).toThrow(ConfigurationError);
    expect(() => new NotificationFilter({ payload: 'a' } as unknown as NotificationFilterOptions)).toThrow(
      ConfigurationError,
    );
  });
});
