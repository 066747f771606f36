import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, InvalidTransportUrl, NotificationFilter } from '../../../lib/index.js';
import { parseTransportUrl, formatTransportUrl } from '../../../lib/config/transport-url.js';
import { rabbitOptionsFromUrl } from '../../../lib/config/oslo-rabbit-options.js';
import { PythonPattern } from '../../../lib/notify/filter/python-pattern.js';
import { RoutingRules } from '../../../lib/notify/notifier/routing-rules.js';
import { maskUrl } from '../../../lib/wire/redaction.js';
import { readGolden } from '../../golden/read-golden.js';

const RUNS = { numRuns: 400, endOnFailure: true };
const PASSWORD = 'Pa55-never-shown';

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(3),
  insert: fc.oneof(
    fc.string({ maxLength: 3 }),
    fc.constantFrom('@', ':', '/', ',', '[', ']', '?', '%', '%ff', '://', '\n', '*', '(', '{', '\\'),
  ),
});

/** A text with some places changed. */
const edited = (texts: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(...texts), fc.array(edit, { maxLength: 4 })).map(([text, edits]) =>
    edits.reduce((now, { at, remove, insert }) => {
      const start = Math.floor(at * now.length);
      return now.slice(0, start) + insert + now.slice(start + remove);
    }, text),
  );

/** The result, or undefined where it is refused with an error of this class; others fail the test. */
function unlessRefused<T>(attempt: () => T, refusal: abstract new (...args: never[]) => Error): T | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof refusal) return undefined;
    throw error;
  }
}

const urls = (readGolden('transport_urls.18.3.1.json') as { urls?: { url: string }[] }) ?? {};
const filters = readGolden('oslo_filter.18.3.1.json') as { patterns: { pattern: string }[] };

describe('of mutated texts', () => {
  it('every transport URL is understood or refused, and is the same when it is written again', () => {
    const known = JSON.stringify(urls).match(/[a-z+]+:\/\/[^"\\ ]*/g)!;
    expect(known.length).toBeGreaterThan(20);
    fc.assert(
      fc.property(fc.oneof(edited(known), fc.string({ unit: 'binary' })), (text) => {
        const url = unlessRefused(() => parseTransportUrl(text), InvalidTransportUrl);
        if (!url) return;
        const { masked: _, ...parts } = parseTransportUrl(formatTransportUrl(url));
        expect(parts).toEqual({
          transport: url.transport,
          hosts: url.hosts,
          virtualHost: url.virtualHost,
          query: url.query,
          ...(url.ssl && { ssl: true }),
        });
        unlessRefused(() => rabbitOptionsFromUrl(url), ConfigurationError);
      }),
      RUNS,
    );
  });

  it('no refusal of a URL shows its password', () => {
    const known = ['rabbit', 'kafka', 'rabbit+ssl', ''].flatMap((scheme) =>
      ['h:5672/v', 'h1:1,u2:p2@h2/', '[::1]:5672/', 'h:port/', 'h/?rabbit_quorum_queue=maybe'].map(
        (rest) => `${scheme}://user:${PASSWORD}@${rest}`,
      ),
    );
    fc.assert(
      fc.property(edited(known), (text) => {
        if (!text.includes(`:${PASSWORD}@`)) return;
        expect(maskUrl(text)).not.toContain(PASSWORD);
        try {
          expect(parseTransportUrl(text).masked).not.toContain(PASSWORD);
        } catch (error) {
          expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(PASSWORD);
        }
      }),
      RUNS,
    );
  });

  it('every query option is read, or refused by its name', () => {
    const names = [
      'rabbit_quorum_queue',
      'rabbit_retry_backoff',
      'kombu_failover_strategy',
      'ssl',
      '__proto__',
      'toString',
    ];
    const name = fc.oneof(fc.constantFrom(...names), fc.string());
    const value = fc.oneof(fc.string(), fc.constantFrom('true', '1', '-1', '1e9', 'NaN', '9'.repeat(400)));
    fc.assert(
      fc.property(name, value, (key, text) => {
        const query = Object.fromEntries([[key, text]]);
        expect(unlessRefused(() => rabbitOptionsFromUrl({ query }), ConfigurationError) ?? {}).toBeTypeOf('object');
      }),
      RUNS,
    );
  });

  it('every pattern of a filter is translated or refused', () => {
    const known = filters.patterns.map(({ pattern }) => pattern);
    fc.assert(
      fc.property(fc.oneof(edited(known), fc.string({ unit: 'binary' })), fc.string(), (pattern, text) => {
        const made = unlessRefused(() => new PythonPattern(pattern), ConfigurationError);
        if (made) expect(made.matches(text.slice(0, 5))).toBeTypeOf('boolean');
      }),
      RUNS,
    );
  });

  it('every text of routing rules is understood or refused', () => {
    const known = [
      'group_1:\n  messaging:\n    accepted_events: ["compute.*"]\n    accepted_priorities: [info, error]\n  log:\n',
      '{a: {messagingv2: {accepted_events: ["[a-z]*"]}}}',
      '__proto__: {log: {}}\nconstructor: {__proto__: {accepted_events: [x]}}',
      'a: &x {log: {}}\nb: *x\n<<: *x\n',
    ];
    fc.assert(
      fc.property(fc.oneof(edited(known), fc.string()), (text) => {
        const rules = unlessRefused(() => RoutingRules.fromYaml(text), ConfigurationError);
        for (const driver of rules?.driversFor('compute.x', 'info') ?? []) expect(driver).toBeTypeOf('string');
        expect(({} as Record<string, unknown>)['log']).toBeUndefined();
      }),
      RUNS,
    );
  });
});

describe('is decided in good time:', () => {
  const long = 100_000;

  it.each(['@', ':', ',', '%2', '[', 'u:p@h,', '?a=b&', '/'])('a URL with 100 000 times %s', (part) => {
    const text = `rabbit://${part.repeat(long)}`;
    unlessRefused(() => parseTransportUrl(text), InvalidTransportUrl);
    expect(maskUrl(text).length).toBeGreaterThan(0);
  });

  // Even many backslashes, and braces, are literals to Python too.
  it.each([
    ['(', true],
    ['[', true],
    ['(?:', true],
    ['\\', false],
    ['{', false],
    ['a*', false],
  ])('a pattern with 5 000 times %s', (part, isRefused) => {
    const filter = unlessRefused(
      () => NotificationFilter.fromOslo({ event_type: part.repeat(5000) }),
      ConfigurationError,
    );
    expect(filter === undefined).toBe(isRefused);
  });

  it.each([
    [
      'an alias of aliases',
      ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi']
        .map((line, n, all) => (n === 0 ? line : `${line}: &${line} [${`*${all[n - 1]![0]},`.repeat(9)}]`))
        .join('\n'),
    ],
    ['nesting', '['.repeat(20_000)],
    ['nesting that is closed', '{a: '.repeat(5000) + '}'.repeat(5000)],
  ])('routing rules with %s', (_what, text) => {
    expect(() => RoutingRules.fromYaml(text)).toThrow(ConfigurationError);
  });
});
