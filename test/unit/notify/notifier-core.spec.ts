import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  ClosedError,
  ConfigurationError,
  type HookedMessage,
  MalformedMessage,
  MessageDeliveryFailure,
  MessageUndeliverable,
  MessagingTimeout,
  NOTIFICATION_PRIORITIES,
  type NotificationDriver,
  type NotificationDriverName,
  NotifierCore,
  type NotifierOptions,
} from '../../../lib/index.js';

import { notifierNeedsBroker } from '../../../lib/notify/notifier/driver-set.js';
import { eventually } from '../../support/eventually.js';
import { capturesOf } from '../../golden/read-golden.js';
import { TestBus } from './memory-brokers.js';

let bus: TestBus;
beforeEach(() => {
  bus = new TestBus();
});
afterEach(async () => {
  await bus.close();
});

const notifierOf = (options: NotifierOptions = {}) => new NotifierCore(bus.open(), options);

describe('what is sent', () => {
  const PYTHON_KEYS = Object.keys(capturesOf('notification_v2.master')[0]![1].oslo_message_decoded);

  it.each([
    ['messaging', false],
    ['messagingv2', true],
  ] as const)('by %s has the keys of Python, enveloped: %s', async (driver, enveloped) => {
    const drunk = await bus.drink('notifications', 'info', 'nova');
    await notifierOf({ driver, exchange: 'nova', publisherId: 'compute.host1' }).info('compute.create', { id: 7 });
    const [sent] = await eventually(() => drunk.length > 0 && drunk);
    expect(Object.keys(sent!.message)).toEqual(PYTHON_KEYS);
    expect(sent!.message).toMatchObject({
      publisher_id: 'compute.host1',
      event_type: 'compute.create',
      priority: 'INFO',
      payload: { id: 7 },
    });
    expect(sent!.text.startsWith('{"oslo.version"')).toBe(enveloped);
  });

  it.each([...NOTIFICATION_PRIORITIES, 'warning'] as const)('%s goes to the queue of its priority', async (method) => {
    const priority = method === 'warning' ? 'warn' : method;
    const drunk = await bus.drink('notifications', priority);
    await notifierOf()[method]('a', {});
    expect((await eventually(() => drunk[0])).message.priority).toBe(priority.toUpperCase());
  });

  it('goes once to each topic, under one message id and with different unique ids', async () => {
    const notifier = notifierOf({ topics: ['notifications', 'versioned_notifications'] });
    const one = await bus.drink('notifications', 'info');
    const other = await bus.drink('versioned_notifications', 'info');
    await notifier.info('a', {});
    const [first, second] = await eventually(() => one[0] && other[0] && ([one[0].message, other[0].message] as const));
    expect(first.message_id).toBe(second.message_id);
    expect(first._unique_id).not.toBe(second._unique_id);
  });

  it('has the context of the call, else the default one, without the token', async () => {
    const drunk = await bus.drink('notifications', 'info');
    const notifier = notifierOf({ defaultContext: () => ({ user: 'ambient', auth_token: 'secret' }) });
    await notifier.info('a', {});
    await notifier.info('b', {}, { context: { request_id: 'req-1', service_catalog: [] } });
    await eventually(() => drunk.length === 2);
    expect(drunk[0]!.message).toMatchObject({ _context_user: 'ambient', _context_auth_token: null });
    expect(Object.keys(drunk[1]!.message).filter((key) => key.startsWith('_context_'))).toEqual([
      '_context_request_id',
    ]);
    expect(drunk.map(({ text }) => text).join()).not.toContain('secret');
  });

  it('is the payload as it was at the call', async () => {
    const drunk = await bus.drink('notifications', 'info');
    const payload = { state: 'building' };
    const sent = notifierOf().info('a', payload);
    payload.state = 'active';
    await sent;
    expect((await eventually(() => drunk[0])).message.payload).toEqual({ state: 'building' });
  });

  it('passes the serializer, the payload with the whole context; what is sent of that is reduced', async () => {
    const drunk = await bus.drink('notifications', 'info');
    const serializer = {
      serializeEntity: (context: object, entity: unknown) => ({ entity, keys: Object.keys(context) }),
      serializeContext: (context: object) => ({ ...context, request_id: 'serialized', auth_token: 's3cret', own: 1 }),
    };
    await notifierOf({ serializer }).info('a', 1, { context: { user: 'u', tenant: 't' } });
    const { message } = await eventually(() => drunk[0]);
    expect(message).toMatchObject({
      payload: { entity: 1, keys: ['user', 'tenant'] },
      _context_request_id: 'serialized',
      _context_auth_token: null,
    });
    expect(message).not.toHaveProperty('_context_own');
  });

  it('lets a hook add to the context', async () => {
    const drunk = await bus.drink('notifications', 'info');
    const messages: HookedMessage[] = [];
    const aroundSend = <T>(message: HookedMessage, next: () => T): T => {
      messages.push(message);
      message.context.traceparent = '00-1';
      return next();
    };
    await notifierOf({ hooks: [{ aroundSend }] }).info('a', {});
    expect((await eventually(() => drunk[0])).message._context_traceparent).toBe('00-1');
    expect(messages[0]).toMatchObject({ kind: 'notification', routingKey: 'notifications.info' });
  });
});

describe('queues', () => {
  it('are declared, so that nothing is lost while nobody listens', async () => {
    await notifierOf().error('a', {});
    expect(bus.waiting('notifications.error')).toBe(1);
  });

  it('are not declared on request; then a notification that nobody wants is gone', async () => {
    await notifierOf({ declareQueues: false }).error('a', {});
    expect(bus.waiting('notifications.error')).toBeUndefined();
  });

  it('that were deleted meanwhile are declared anew: what is confirmed is kept', async () => {
    const notifier = notifierOf();
    await notifier.error('a', {});
    bus.bus.deleteQueue('notifications.error');
    await Promise.all([notifier.error('b', {}), notifier.error('c', {})]);
    expect(bus.waiting('notifications.error')).toBe(2);
  });

  it('that were deleted have no more time to be declared anew than is left', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const broker = bus.open();
    const given: (number | undefined)[] = [];
    vi.spyOn(broker, 'publish').mockImplementation(async ({ giveUpMs, exchange, routingKey }) => {
      given.push(giveUpMs);
      await new Promise((resolve) => setTimeout(resolve, 300));
      if (given.length === 1) throw new MessageUndeliverable(exchange, routingKey);
    });
    const sent = new NotifierCore(broker, { timeout: 1 }).info('a', {});
    await vi.advanceTimersByTimeAsync(600);
    await sent;
    expect(given).toEqual([1000, 700]);
  });
});

describe('prepare', () => {
  const prepared = (driver: NotificationDriver) =>
    new NotifierCore(undefined, { driver, publisherId: 'base', retry: 3, timeout: 9 });

  it('changes what is given, inherits the rest, resets null', () => {
    const notify = vi.fn<NotificationDriver['notify']>();
    const notifier = prepared({ notify });
    const changed = notifier.prepare({ publisherId: 'api.host1', retry: 0, timeout: 5 });
    void notifier.info('a', {});
    void changed.info('a', {});
    void changed.prepare({ retry: null }).info('a', {});
    void changed.prepare({ publisherId: null, timeout: null }).info('a', {}, { timeout: 1 });
    expect(notify.mock.calls.map(([notification, limits]) => [notification.publisherId, limits])).toEqual([
      ['base', { retry: 3, giveUpMs: 9000 }],
      ['api.host1', { retry: 0, giveUpMs: 5000 }],
      ['api.host1', { retry: 3, giveUpMs: 5000 }],
      ['base', { retry: 0, giveUpMs: 1000 }],
    ]);
  });

  it('refuses what makes no sense', () => {
    const notifier = prepared({ notify: () => undefined });
    expect(() => notifier.prepare({ retry: -2 })).toThrow(ConfigurationError);
    expect(() => notifier.prepare({ timeout: -1 })).toThrow(ConfigurationError);
  });
});

describe('drivers', () => {
  it('are called in turn; one that fails stops no other', async () => {
    const calls: string[] = [];
    const failing = (name: string) => ({
      notify() {
        calls.push(name);
        throw new Error(`${name} broke`);
      },
    });
    const good = { notify: async () => void calls.push('good') };
    const notifier = new NotifierCore(undefined, { driver: [failing('one'), good] });
    await expect(notifier.info('a', {})).rejects.toThrow('one broke');
    expect(calls).toEqual(['one', 'good']);

    const several = new NotifierCore(undefined, { driver: [failing('one'), failing('two')] });
    const failure = await several.info('a', {}).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MessageDeliveryFailure);
    expect(String(failure)).toMatch(/one broke.*two broke/);
    expect((failure as MessageDeliveryFailure).cause).toBeInstanceOf(AggregateError);
  });

  it('that all say that it is the caller’s move do so together', async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const two = notifierOf({ driver: ['messagingv2', 'log'] });
    const failure = await two.info('a', circular).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MalformedMessage);
    expect(failure).toMatchObject({ fault: 'caller', retryable: false });

    const broken = { notify: () => Promise.reject(new Error('broke')) };
    const mixed = notifierOf({ driver: ['messagingv2', broken] });
    await expect(mixed.info('a', circular)).rejects.toBeInstanceOf(MessageDeliveryFailure);
  });

  it('may both be messaging: each sends', async () => {
    const drunk = await bus.drink('notifications', 'info');
    await notifierOf({ driver: ['messaging', 'messagingv2'] }).info('a', {});
    await eventually(() => drunk.length === 2);
    expect(drunk[0]!.message.message_id).toBe(drunk[1]!.message.message_id);
  });

  it('none: notifications are silently dropped', async () => {
    const notifier = new NotifierCore(undefined, { driver: [] });
    await expect(notifier.info('a', {})).resolves.toBeUndefined();
    expect(notifier.isEnabled()).toBe(true);
  });

  it('test keeps what would have been sent', async () => {
    const notifier = new NotifierCore(undefined, { driver: 'test', publisherId: 'p' });
    await notifier.warn('a', { when: new Date(0), gone: undefined, big: 2n ** 60n });
    expect(notifier.testLog.notifications).toEqual([
      expect.objectContaining({
        priority: 'warn',
        eventType: 'a',
        publisherId: 'p',
        payload: { when: '1970-01-01T00:00:00.000Z', big: 2n ** 60n },
      }),
    ]);
    notifier.testLog.clear();
    expect(notifier.testLog.notifications).toEqual([]);
  });

  it.each<[NotificationDriverName[], boolean]>([
    [['noop'], false],
    [['noop', 'noop'], true],
    [['log', 'noop'], true],
    [['test'], true],
  ])('%j enabled: %s', (driver, enabled) => {
    expect(new NotifierCore(undefined, { driver }).isEnabled()).toBe(enabled);
  });

  it('by default is messagingv2, which needs a broker', () => {
    expect(() => new NotifierCore(undefined)).toThrow(ConfigurationError);
    expect(notifierNeedsBroker({})).toBe(true);
    expect(notifierNeedsBroker({ driver: ['log', 'test', 'noop', { notify: () => undefined }] })).toBe(false);
    expect(notifierNeedsBroker({ driver: 'routing', routingConfig: { group: { log: {} } } })).toBe(false);
    expect(notifierNeedsBroker({ driver: 'routing', routingConfig: { group: { messaging: {} } } })).toBe(true);
  });

  it.each([[null], [[null]], [[undefined]], [{}], [['log', {}]], [{ notify: 'log' }], [7], [[() => undefined]]])(
    '%j are refused by the name of the option',
    (driver) => {
      const options = { driver } as unknown as NotifierOptions;
      expect(() => new NotifierCore(undefined, options)).toThrow(ConfigurationError);
      expect(() => notifierNeedsBroker(options)).toThrow(/^driver must be/);
    },
  );

  it.each([null, {}, 'log'])('for routing rules, %j, are refused by the name of the option', (own) => {
    const options = { driver: 'routing', routingConfig: { group: { own: {} } }, routingDrivers: { own } };
    expect(() => new NotifierCore(undefined, options as unknown as NotifierOptions)).toThrow(
      /^routingDrivers\.own must/,
    );
  });

  it('without a name that exists are refused', () => {
    expect(() => new NotifierCore(undefined, { driver: 'kafka' as NotificationDriverName })).toThrow(/kafka/);
    expect(() => notifierOf({ topics: [] })).toThrow(ConfigurationError);
  });
});

describe('retry', () => {
  it('-1: kept while the line is down, and sent when it is back', async () => {
    const notifier = notifierOf();
    await notifier.info('first', {});
    bus.bus.interrupt();
    const second = notifier.info('second', {});
    expect(notifier.pending).toBe(1);
    await second;
    expect(bus.waiting('notifications.info')).toBe(2);
    expect(notifier.pending).toBe(0);
  });

  it('-1: rejected at once when too many are waiting, the others are sent', async () => {
    const notifier = new NotifierCore(bus.open({ maxInFlightMessages: 2 }));
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => notifier.info('a', { n })));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect((outcomes[2] as PromiseRejectedResult).reason).toBeInstanceOf(MessageDeliveryFailure);
    expect(bus.reports('send-failed')).toHaveLength(1);
  });

  it('-1: ended by close, of the notifier or of the broker', async () => {
    // Not connected before the next turn of the event loop.
    const broker = bus.open();
    const notifier = new NotifierCore(broker);
    const pending = notifier.info('a', {});
    await notifier.close();
    await expect(pending).rejects.toBeInstanceOf(ClosedError);
    await expect(notifier.info('b', {})).rejects.toBeInstanceOf(ClosedError);
    await notifier.close();

    const unconnected = bus.open();
    const other = new NotifierCore(unconnected).info('c', {});
    await unconnected.close();
    await expect(other).rejects.toBeInstanceOf(ClosedError);
  });

  it('close brings out what came before it, while the broker is connected', async () => {
    const broker = bus.open();
    await broker.connected();
    const notifier = new NotifierCore(broker);
    const sent = [1, 2, 3].map((n) => notifier.info('a', { n }));
    await notifier.close();
    await Promise.all(sent);
    expect(bus.waiting('notifications.info')).toBe(3);
    expect(bus.reports('send-failed')).toEqual([]);
  });

  it('what close gives up is not called unsent: the broker may still bring it out', async () => {
    const broker = bus.open();
    const notifier = new NotifierCore(broker);
    const sent = notifier.info('a', {}).catch((error: unknown) => error);
    await notifier.close();
    expect(await sent).toMatchObject({ code: 'OSLO_CLOSED', unconfirmed: true });
    expect(bus.reports('send-failed')).toMatchObject([{ message: expect.stringContaining('may have arrived') }]);
  });

  it('a timeout ends it earlier', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const pending = new NotifierCore(bus.open(), { timeout: 5 }).info('a', {});
      const failure = pending.catch((error: unknown) => error);
      vi.advanceTimersByTime(5001);
      expect(await failure).toBeInstanceOf(MessagingTimeout);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a promise that nobody awaits', () => {
  it('rejects without harm, and is reported without secrets', async () => {
    const unhandled = vi.fn<() => void>();
    process.on('unhandledRejection', unhandled);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const notifier = notifierOf();
    void notifier.info('a', circular, { context: { request_id: 'req-7' } });
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(bus.reports('send-failed')).toEqual([
      expect.objectContaining({
        kind: 'notification',
        target: 'openstack/notifications.info',
        requestId: 'req-7',
        message: expect.stringContaining('The notification a (req-7) to openstack/notifications.info') as unknown,
        error: expect.any(MalformedMessage) as unknown,
      }),
    ]);
  });
});

it('flushed waits for what was sent', async () => {
  let finish: (() => void) | undefined;
  const slow = { notify: () => new Promise<void>((resolve) => (finish = resolve)) };
  const notifier = new NotifierCore(undefined, { driver: slow });
  void notifier.info('a', {});
  let flushed = false;
  const waiting = notifier.flushed().then(() => (flushed = true));
  await Promise.resolve();
  expect(flushed).toBe(false);
  finish!();
  await waiting;
  expect(notifier.pending).toBe(0);
  await notifier.flushed();
});
