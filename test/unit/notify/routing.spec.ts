import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, NotifierCore } from '../../../lib/index.js';

import { RoutingRules } from '../../../lib/notify/notifier/routing-rules.js';

/** In the schema, and with the spirit, of the reference's `test_get_drivers_for_message_*`. */
const yaml = `
group_1:
    rpc:
        accepted_events:
          - foo.*
          - blah.zoo.*
          - zip
        accepted_priorities:
          - info
    everything:
group_2:
    rpc2:
        accepted_priorities: [WARN, err*]
    rpc3: {}
`;

describe('RoutingRules', () => {
  it.each([
    ['foo.bar', 'info', ['rpc', 'everything', 'rpc3']],
    ['foo.bar', 'INFO', ['rpc', 'everything', 'rpc3']],
    ['blah.zoo.x', 'info', ['rpc', 'everything', 'rpc3']],
    ['blah.x', 'info', ['everything', 'rpc3']],
    ['zip', 'info', ['rpc', 'everything', 'rpc3']],
    ['zipper', 'info', ['everything', 'rpc3']],
    ['foo.bar', 'warn', ['everything', 'rpc2', 'rpc3']],
    ['foo.bar', 'error', ['everything', 'rpc2', 'rpc3']],
    ['foo.bar', 'critical', ['everything', 'rpc3']],
  ])('%s with %s goes to %j', (eventType, priority, drivers) => {
    expect(RoutingRules.fromYaml(yaml).driversFor(eventType, priority)).toEqual(drivers);
  });

  it('an empty list takes nothing, a driver in two groups is used once', () => {
    const rules = new RoutingRules({ a: { log: { accepted_events: [] }, test: {} }, b: { test: {} } });
    expect(rules.driversFor('foo', 'info')).toEqual(['test']);
    expect(rules.drivers).toEqual(['log', 'test']);
    expect(RoutingRules.fromYaml('').drivers).toEqual([]);
  });

  it.each([
    ['not YAML', 'a: [b'],
    ['a list', '- a'],
    ['a group that is a text', 'group: text'],
    ['a rule that is a list', 'group: {log: [a]}'],
    ['an unknown key', 'group: {log: {accepted_event: [a]}}'],
    ['no list of globs', 'group: {log: {accepted_events: foo.*}}'],
    ['itself', 'group: {routing: {}}'],
  ])('refuses %s', (_what, text) => {
    expect(() => RoutingRules.fromYaml(text)).toThrow(ConfigurationError);
  });
});

describe('the driver routing', () => {
  it('really routes, by a file as in Python, to our drivers and others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'routing-'));
    try {
      const path = join(folder, 'routing.yaml');
      writeFileSync(path, 'g: {test: {accepted_events: ["compute.*"]}, mine: {accepted_priorities: [error]}}');
      const own: string[] = [];
      const mine = { notify: ({ eventType }: { eventType: string }) => void own.push(eventType) };
      const notifier = new NotifierCore(undefined, {
        driver: 'routing',
        routingConfig: path,
        routingDrivers: { mine },
      });
      await notifier.info('compute.a', {});
      await notifier.error('compute.b', {});
      await notifier.error('volume.c', {});
      await notifier.info('volume.d', {});
      expect(notifier.testLog.notifications.map(({ eventType }) => eventType)).toEqual(['compute.a', 'compute.b']);
      expect(own).toEqual(['compute.b', 'volume.c']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ['no rules', undefined],
    ['a file that is not there', '/nowhere/routing.yaml'],
    ['an unknown driver', { group: { kafka: {} } }],
    ['a name of the prototype', { group: { constructor: {} } }],
  ])('refuses %s', (_what, routingConfig) => {
    expect(() => new NotifierCore(undefined, { driver: 'routing', routingConfig })).toThrow(ConfigurationError);
  });
});
