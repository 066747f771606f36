import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ConfigurationError,
  NOTIFICATION_PRIORITIES,
  NotificationFilter,
  NotificationListener,
  NotificationResult,
  NotifierCore,
  type IncomingNotification,
  type NotificationDriver,
  type NotificationDriverName,
  type NotificationPriority,
  type NotificationRegistration,
  type NotifierOptions,
  type NotifyLimits,
  type OsloFilterRules,
  type PrepareNotifierOptions,
  type RoutingConfig,
} from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { multiplied, type Scenario } from '../../support/scenarios.js';
import { TestBus } from '../notify/memory-brokers.js';
import { sealed } from '../rpc/support/raw-peer.js';

let bus: TestBus;
let listeners: NotificationListener[];
beforeEach(() => {
  bus = new TestBus();
  listeners = [];
});
afterEach(async () => {
  await Promise.all(listeners.map((listener) => listener.close()));
  await bus.close();
});

async function listen(registrations: readonly NotificationRegistration[]): Promise<NotificationListener> {
  // Long enough that what is put back is not tried again before the test looks.
  const options = { requeueBackoffMs: 60_000, requeueBackoffMaxMs: 60_000, shutdownTimeoutMs: 100 };
  const listener = new NotificationListener(bus.open(), registrations, options);
  listeners.push(listener);
  await listener.start();
  return listener;
}

const MESSAGE = {
  publisher_id: 'publisher_id',
  event_type: 'compute.start',
  payload: { info: 'fuu' },
  message_id: 'uuid',
  timestamp: '2014-03-03 18:21:04.369234',
};

async function arrives(message: Record<string, unknown>, queue: string): Promise<void> {
  const where = { exchange: 'openstack', routingKey: queue, mandatory: true };
  await bus.open().publish({ ...where, body: sealed({ ...message, _unique_id: 'a'.repeat(32) }) });
}

// TestDispatcher. An endpoint with several methods is a listener with several priorities here.
describe('each listener of the priority is asked; a requeue or an error puts the notification back', () => {
  interface Dispatched {
    endpoints: NotificationPriority[][];
    called: boolean[];
    priority: NotificationPriority;
    answer: () => unknown;
    outcome: 'handled' | 'requeued';
  }
  it.each<Scenario<Dispatched>>([
    [
      'one endpoint',
      {
        endpoints: [['warn']],
        called: [true],
        priority: 'warn',
        answer: () => NotificationResult.HANDLED,
        outcome: 'handled',
      },
    ],
    [
      'two endpoints, one of another priority',
      {
        endpoints: [['warn'], ['info']],
        called: [false, true],
        priority: 'info',
        answer: () => NotificationResult.HANDLED,
        outcome: 'handled',
      },
    ],
    [
      'two endpoints of the priority',
      {
        endpoints: [
          ['debug', 'info'],
          ['info', 'debug'],
        ],
        called: [true, true],
        priority: 'debug',
        answer: () => NotificationResult.HANDLED,
        outcome: 'handled',
      },
    ],
    [
      'no answer, which is handled',
      { endpoints: [['warn']], called: [true], priority: 'warn', answer: () => undefined, outcome: 'handled' },
    ],
    [
      'a requeue',
      {
        endpoints: [['debug', 'warn']],
        called: [true],
        priority: 'debug',
        answer: () => NotificationResult.REQUEUE,
        outcome: 'requeued',
      },
    ],
    [
      'an error',
      {
        endpoints: [['debug', 'warn']],
        called: [true],
        priority: 'debug',
        answer: () => {
          throw new Error('boom');
        },
        outcome: 'requeued',
      },
    ],
  ])('%s', async (_name, { endpoints, called, priority, answer, outcome }) => {
    const heard = endpoints.map((): IncomingNotification[] => []);
    const listener = await listen(
      endpoints.map((priorities, index) => ({
        priorities,
        allowRequeue: true,
        handler: (notification) => {
          heard[index]!.push(notification);
          return answer();
        },
      })),
    );
    await arrives({ ...MESSAGE, priority: priority.toUpperCase() }, `notifications.${priority}`);
    await eventually(() => listener.counters[outcome === 'handled' ? 'acknowledged' : 'requeued'] === 1);
    expect(heard.map(({ length }) => length)).toEqual(called.map(Number));
    for (const notification of heard.flat()) {
      expect(notification).toMatchObject({
        requestContext: {},
        publisherId: 'publisher_id',
        eventType: 'compute.start',
        payload: { info: 'fuu' },
        metadata: { message_id: 'uuid', timestamp: '2014-03-03 18:21:04.369234' },
      });
    }
    expect(listener.counters.acknowledged).toBe(outcome === 'handled' ? 1 : 0);
  });

  it('nobody of the priority: it is handled', async () => {
    const handler = vi.fn<() => void>();
    const listener = await listen([{ priorities: 'error', handler }]);
    await arrives({ ...MESSAGE, priority: 'INFO' }, 'notifications.error');
    await eventually(() => listener.counters.unmatched === 1);
    expect(handler).not.toHaveBeenCalled();
    await listener.close();
    expect(bus.waiting('notifications.error')).toBe(0);
  });

  it('an unknown priority is acknowledged, and told', async () => {
    const handler = vi.fn<() => void>();
    const listener = await listen([{ priorities: 'info', handler }]);
    await arrives({ ...MESSAGE, priority: 'what???' }, 'notifications.info');
    await eventually(() => listener.counters.unmatched === 1);
    expect(handler).not.toHaveBeenCalled();
    await listener.close();
    expect(bus.waiting('notifications.info')).toBe(0);
    expect(bus.events.filter(({ level }) => level === 'warn')).toMatchObject([
      { type: 'notification-dropped', message: expect.stringContaining('what???') },
    ]);
  });
});

// TestDispatcherFilter.
describe('a filter with the rules of Python lets a notification through, or not', () => {
  interface Filtered {
    rules: OsloFilterRules;
    publisherId?: string;
    eventType?: unknown;
    context?: Record<string, unknown>;
    matches: boolean;
  }
  it.each<Scenario<Filtered>>([
    ['the publisher fits', { rules: { publisher_id: '^compute.*' }, matches: true }],
    [
      'the publisher does not fit',
      { rules: { publisher_id: '^compute.*' }, publisherId: 'network01.manager', matches: false },
    ],
    ['the event type fits', { rules: { event_type: String.raw`^instance\.create` }, matches: true }],
    ['the event type does not fit', { rules: { event_type: String.raw`^instance\.delete` }, matches: false }],
    [
      'the event type is no text',
      {
        rules: { event_type: String.raw`^instance\.delete` },
        eventType: ['instance.swim', 'instance.fly'],
        matches: false,
      },
    ],
    ['the context fits', { rules: { context: { user: '^adm' } }, context: { user: 'admin' }, matches: true }],
    [
      'the context lacks the key',
      { rules: { context: { user: '^adm' } }, context: { project: 'admin' }, matches: false },
    ],
    ['the metadata fit', { rules: { metadata: { message_id: '^99' } }, matches: true }],
    ['the metadata lack the key', { rules: { metadata: { user: '^adm' } }, matches: false }],
    ['the payload fits', { rules: { payload: { state: '^active$' } }, matches: true }],
    ['the payload does not fit', { rules: { payload: { state: '^deleted$' } }, matches: false }],
    ['the payload lacks the key', { rules: { payload: { user: '^adm' } }, matches: false }],
    ['the payload has null', { rules: { payload: { virtual_size: '2048' } }, matches: false }],
    [
      'several fit',
      {
        rules: { event_type: String.raw`^instance\.create`, publisher_id: '^compute', context: { user: '^adm' } },
        context: { user: 'admin' },
        matches: true,
      },
    ],
  ])('%s', async (_name, { rules, publisherId = 'compute01.manager', eventType, context = {}, matches }) => {
    const handler = vi.fn<() => void>();
    const listener = await listen([{ priorities: 'info', filter: NotificationFilter.fromOslo(rules), handler }]);
    const packed = Object.entries(context).map(([key, value]) => [`_context_${key}`, value]);
    const message = {
      payload: { state: 'active', virtual_size: null },
      priority: 'info',
      publisher_id: publisherId,
      event_type: eventType ?? 'instance.create.start',
      timestamp: '2014-03-03 18:21:04.369234',
      message_id: '99863dda-97f0-443a-a0c1-6ed317b7fd45',
      ...Object.fromEntries(packed),
    };
    await arrives(message, 'notifications.info');
    await eventually(() => listener.counters[matches ? 'acknowledged' : 'unmatched'] === 1);
    expect(handler).toHaveBeenCalledTimes(matches ? 1 : 0);
  });
});

// TestMessagingNotifier.
describe('a notifier sends to <topic>.<priority>, once for each driver and topic', () => {
  interface Notified {
    driver: NotificationDriverName[];
    options: NotifierOptions;
    prepare: PrepareNotifierOptions;
    publisherId: string;
    topics: string[];
    priority: NotificationPriority;
  }
  const drivers: Scenario<Pick<Notified, 'driver'>>[] = [
    ['no driver', { driver: [] }],
    ['messaging', { driver: ['messaging'] }],
    ['messagingv2', { driver: ['messagingv2'] }],
    ['both drivers', { driver: ['messaging', 'messagingv2'] }],
  ];
  const publishers: Scenario<Pick<Notified, 'options' | 'prepare' | 'publisherId'>>[] = [
    ['the publisher of the notifier', { options: { publisherId: 'test' }, prepare: {}, publisherId: 'test' }],
    [
      'the publisher prepared',
      { options: {}, prepare: { publisherId: 'test.localhost' }, publisherId: 'test.localhost' },
    ],
    [
      'the publisher of both',
      {
        options: { publisherId: 'test' },
        prepare: { publisherId: 'test.localhost' },
        publisherId: 'test.localhost',
      },
    ],
  ];
  const topics: Scenario<Pick<Notified, 'topics'>>[] = [
    ['one topic', { topics: ['notifications'] }],
    ['two topics', { topics: ['foo', 'bar'] }],
  ];
  const priorities = NOTIFICATION_PRIORITIES.map((priority): Scenario<Pick<Notified, 'priority'>> => [
    priority,
    { priority },
  ]);

  it.each(multiplied(drivers, multiplied(publishers, multiplied(topics, priorities))))(
    '%s',
    async (_name, { driver, options, prepare, publisherId, topics, priority }) => {
      const notifier = new NotifierCore(bus.open(), { ...options, driver, topics });
      const prepared = notifier.prepare(prepare);
      await prepared[priority]('test.notify', { foo: 'bar' }, { context: { user: 'bob' } });
      expect(prepared.isEnabled()).toBe(true);
      const ids = new Set<unknown>();
      for (const topic of topics) {
        const waiting = bus.bus.messagesIn(`${topic}.${priority}`);
        const versions = waiting.map(({ content }) => {
          const body = JSON.parse(content.toString()) as Record<string, unknown>;
          const version = body['oslo.version'] ?? '1.0';
          const message = version === '2.0' ? (JSON.parse(String(body['oslo.message'])) as typeof body) : body;
          const { _unique_id: _id, message_id: id, ...rest } = message;
          const own = Object.entries(rest).filter(([key]) => !key.startsWith('_context_'));
          ids.add(id);
          expect(Object.fromEntries(own)).toEqual({
            publisher_id: publisherId,
            event_type: 'test.notify',
            priority: priority.toUpperCase(),
            payload: { foo: 'bar' },
            timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?$/),
          });
          expect(rest).toMatchObject({ _context_user: 'bob' });
          return version;
        });
        expect(versions).toEqual(driver.map((name) => (name === 'messaging' ? '1.0' : '2.0')));
      }
      // The same message, whatever the topic and the driver.
      expect(ids.size).toBe(driver.length > 0 ? 1 : 0);
    },
  );

  it.each<Scenario<{ prepare: PrepareNotifierOptions; retry: number }>>([
    ['not configured: without limit', { prepare: {}, retry: -1 }],
    ['ours: null is reset to what the notifier has', { prepare: { retry: null }, retry: -1 }],
    ['zero', { prepare: { retry: 0 }, retry: 0 }],
    ['five', { prepare: { retry: 5 }, retry: 5 }],
  ])('and hands its retry to the driver: %s', async (_name, { prepare, retry }) => {
    const limits: NotifyLimits[] = [];
    const driver: NotificationDriver = { notify: (_notification, given) => void limits.push(given) };
    await new NotifierCore(undefined, { driver }).prepare(prepare).info('test.notify', {});
    expect(limits).toMatchObject([{ retry }]);
  });

  it('ours: no topics are refused, where Python sends nothing', () => {
    expect(() => new NotifierCore(bus.open(), { topics: [] })).toThrow(ConfigurationError);
  });

  it('the driver noop alone: the notifier is not enabled', () => {
    expect(new NotifierCore(undefined, { driver: 'noop' }).isEnabled()).toBe(false);
  });
});

// TestRoutingNotifier.
describe('the driver routing asks each driver that its rules name', () => {
  const events: RoutingConfig = { group_1: { rpc: { accepted_events: ['foo.*', 'blah.zoo.*', 'zip'] } } };
  const byPriority: RoutingConfig = { group_1: { rpc: { accepted_priorities: ['info', 'error'] } } };
  const both: RoutingConfig = {
    group_1: {
      rpc: { accepted_priorities: ['info'], accepted_events: ['foo.*'] },
      driver_1: { accepted_priorities: ['info'] },
      driver_2: { accepted_events: ['foo.*'] },
    },
  };
  const filtered: RoutingConfig = {
    group_1: {
      rpc: { accepted_events: ['my_event'] },
      rpc2: { accepted_priorities: ['info'] },
      bar: { accepted_events: ['nothing'] },
    },
  };

  it.each<[string, RoutingConfig, eventType: string, NotificationPriority, string[]]>([
    ['no event that it accepts', events, 'unknown', 'info', []],
    ['a child of an event', events, 'foo.1', 'info', ['rpc']],
    ['the event whose children it accepts', events, 'foo', 'info', []],
    ['a grandchild', events, 'blah.zoo.zing', 'info', ['rpc']],
    ['no priority that it accepts', byPriority, 'any', 'debug', []],
    ['the first priority', byPriority, 'any', 'info', ['rpc']],
    ['the second priority', byPriority, 'any', 'error', ['rpc']],
    ['the event alone', both, 'foo.blah', 'debug', ['driver_2']],
    ['the priority alone', both, 'unknown', 'info', ['driver_1']],
    ['event and priority', both, 'foo.blah', 'info', ['driver_1', 'driver_2', 'rpc']],
    ['of three drivers two', filtered, 'my_event', 'info', ['rpc', 'rpc2']],
  ])('%s', async (_name, routingConfig, eventType, priority, expected) => {
    const asked: string[] = [];
    const driverOf = (name: string): NotificationDriver => ({ notify: () => void asked.push(name) });
    const routingDrivers = Object.fromEntries(
      Object.keys(routingConfig['group_1']!).map((name) => [name, driverOf(name)]),
    );
    const notifier = new NotifierCore(undefined, { driver: 'routing', routingConfig, routingDrivers });
    expect(notifier.isEnabled()).toBe(true);
    await notifier[priority](eventType, {});
    expect(asked.toSorted()).toEqual(expected);
  });
});

// TestLogNotifier.
describe('the driver log', () => {
  it('writes the notification under the name of its event type, passwords as ***', async () => {
    const log = vi.fn<(text: string, name: string) => void>();
    const logger = { log, warn: log, error: log };
    const notifier = new NotifierCore(undefined, { driver: 'log', logger, publisherId: 'test.localhost' });
    await notifier.info('test.notify', { password: 'passw0rd', event_type: 'foo' });
    const [[text, name] = [], ...others] = log.mock.calls;
    expect(others).toEqual([]);
    expect(name).toBe('oslo.messaging.notification.test.notify');
    expect(JSON.parse(text!)).toEqual({
      message_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      publisher_id: 'test.localhost',
      event_type: 'test.notify',
      priority: 'INFO',
      payload: { password: '***', event_type: 'foo' },
      timestamp: expect.any(String),
    });
    expect(notifier.isEnabled()).toBe(true);
  });
});
