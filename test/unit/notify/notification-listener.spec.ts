import { queueIn } from '../../support/memory-broker.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AroundHook,
  ClosedError,
  ConfigurationError,
  type DeadLetter,
  type HookedListener,
  type HookedMessage,
  type HookedPart,
  type IncomingNotification,
  NotificationFilter,
  NotificationListener,
  type NotificationListenerOptions,
  type NotificationRegistration,
  NotificationResult,
  NotifierCore,
  type NotifierOptions,
  PreconditionFailed,
  type SingleRegistration,
} from '../../../lib/index.js';

import { eventually } from '../../support/eventually.js';
import { TestBus } from './memory-brokers.js';

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

async function listen(
  registrations: NotificationRegistration[],
  options: NotificationListenerOptions = {},
): Promise<NotificationListener> {
  const listener = new NotificationListener(bus.open(), registrations, {
    requeueBackoffMs: 1,
    shutdownTimeoutMs: 500,
    ...options,
  });
  listeners.push(listener);
  await listener.start();
  return listener;
}

const notifierOf = (options: NotifierOptions = {}) => new NotifierCore(bus.open(), options);

/** A registration that notes what it gets, and does what it is told to. */
function ear(
  given: Partial<SingleRegistration> = {},
  act: (notification: IncomingNotification, times: number) => unknown = () => undefined,
): SingleRegistration & { heard: IncomingNotification[]; types: () => (string | undefined)[] } {
  const heard: IncomingNotification[] = [];
  return {
    priorities: 'info',
    ...given,
    heard,
    types: () => heard.map(({ eventType }) => eventType),
    handler: (notification) => {
      heard.push(notification);
      return act(notification, heard.length);
    },
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const isAcked = (listener: NotificationListener, count: number) =>
  eventually(() => listener.counters.acknowledged === count, `${count} acknowledged`);

describe('what a listener is told', () => {
  it('is everything about the notification', async () => {
    const one = ear({ priorities: ['info', 'error'] });
    const listener = await listen([one]);
    await notifierOf({ publisherId: 'compute.host1' }).error('a.b', { id: 1 }, { context: { user: 'u' } });
    await isAcked(listener, 1);
    const [notification] = one.heard;
    expect(notification).toMatchObject({
      priority: 'error',
      eventType: 'a.b',
      publisherId: 'compute.host1',
      payload: { id: 1 },
      requestContext: { user: 'u' },
      redelivered: false,
      attempts: 0,
      origin: { exchange: 'openstack', queue: 'notifications.error', routingKey: 'notifications.error' },
    });
    expect(notification!.metadata).toEqual({ message_id: notification!.messageId, timestamp: notification!.sentAt });
    expect(Math.abs(Date.now() - notification!.timestamp!.getTime())).toBeLessThan(60_000);
  });

  it('passed the serializer', async () => {
    const one = ear();
    const serializer = {
      deserializeContext: () => ({ user: 'deserialized' }),
      deserializeEntity: (context: object, entity: unknown) => ({ context, entity }),
    };
    await listen([one], { serializer });
    await notifierOf().info('a', 1);
    const notification = await eventually(() => one.heard[0]);
    expect(notification.payload).toEqual({ context: { user: 'deserialized' }, entity: 1 });
  });

  it('has integers beyond 2^53 exactly, or as numbers on request', async () => {
    const one = ear();
    await listen([one], { integers: 'number' });
    await notifierOf().info('a', { big: 2n ** 60n });
    expect((await eventually(() => one.heard[0])).payload).toEqual({ big: 2 ** 60 });
  });

  it('is wrapped by hooks', async () => {
    const calls: string[] = [];
    const aroundProcess = <T>(message: { kind: string; method?: string }, next: () => T): T => {
      calls.push(`before ${message.kind} ${message.method}`);
      const result = next();
      calls.push('after');
      return result;
    };
    await listen([ear({}, () => calls.push('handler'))], { hooks: [{ aroundProcess }] });
    await notifierOf().info('a', {});
    await eventually(() => calls.length === 3);
    expect(calls).toEqual(['before notification a', 'handler', 'after']);
  });
});

describe('what hooks are told of notifications', () => {
  const facts = {
    kind: 'notification',
    bus: 'rabbitmq',
    target: { exchange: 'openstack', topic: 'notifications' },
    priority: 'info',
    publisherId: 'compute.host1',
    messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  };
  const told = (messages: HookedMessage[]): AroundHook => ({
    aroundSend(message, next) {
      message.context['traceparent'] = `of ${message.eventType}`;
      messages.push(message);
      return next();
    },
    aroundProcess(message, next) {
      messages.push(message);
      return next();
    },
  });

  it('is their address, type, priority, publisher and context as it was sent', async () => {
    const sent: HookedMessage[] = [];
    const heard: HookedMessage[] = [];
    const serializer = {
      deserializeContext: () => ({ user: 'deserialized' }),
      deserializeEntity: (_: object, entity: unknown) => entity,
    };
    await listen([ear()], { hooks: [told(heard)], serializer });
    await notifierOf({ publisherId: 'compute.host1', hooks: [told(sent)] }).info('a.b', {});
    await eventually(() => heard.length === 1);
    const one = { ...facts, eventType: 'a.b', method: 'a.b', context: { traceparent: 'of a.b' } };
    expect(sent).toMatchObject([one]);
    expect(heard).toMatchObject([one]);
    expect(heard[0]!.batch).toBeUndefined();
    expect(heard[0]!.messageId).toBe(sent[0]!.messageId);
  });

  it('is each of those that are handed over together', async () => {
    const heard: HookedMessage[] = [];
    const registration: NotificationRegistration = { priorities: 'info', batch: { size: 2 }, handler: () => undefined };
    const notifier = notifierOf({ publisherId: 'compute.host1', hooks: [told([])] });
    await listen([registration], { hooks: [told(heard)] });
    await Promise.all([notifier.info('a', {}), notifier.info('b', {})]);
    await eventually(() => heard.length === 1);
    expect(heard[0]).toMatchObject({ ...facts, eventType: 'a' });
    expect(heard[0]!.batch).toMatchObject([
      { ...facts, eventType: 'a', context: { traceparent: 'of a' } },
      { ...facts, eventType: 'b', context: { traceparent: 'of b' } },
    ]);
  });

  it('and the parts that send and hear them', async () => {
    const parts = new Map<string, HookedPart>();
    const hooks: AroundHook[] = [
      {
        attach(part) {
          parts.set(part.kind, part);
          return () => void parts.delete(part.kind);
        },
      },
    ];
    const gate: { open?: () => void } = {};
    const hanging = ear({}, () => new Promise<void>((resolve) => (gate.open = resolve)));
    const listener = await listen([hanging], { hooks });
    const notifier = notifierOf({ hooks });
    expect(parts.get('notifier')).toMatchObject({ pending: 0, bus: { inFlight: { notification: { messages: 0 } } } });
    await notifier.info('a', {});
    await eventually(() => gate.open !== undefined);
    expect((parts.get('listener') as HookedListener).held).toEqual(new Map([['notifications.info', 1]]));
    gate.open!();
    await isAcked(listener, 1);
    expect((parts.get('listener') as HookedListener).held).toEqual(new Map([['notifications.info', 0]]));
    await notifier.close();
    await listener.close();
    expect(parts.size).toBe(0);
  });
});

describe('matching', () => {
  it('goes to each listener that takes it, in the order of registration, each waiting for the one before', async () => {
    const order: string[] = [];
    const one = ear({}, async () => {
      await pause(5);
      order.push('one');
    });
    const two = ear({}, () => order.push('two'));
    const other = ear({ priorities: 'error' }, () => order.push('error'));
    const listener = await listen([one, two, other]);
    await notifierOf().info('a', {});
    await isAcked(listener, 1);
    expect(order).toEqual(['one', 'two']);
  });

  it('by filter; what no listener wants is acknowledged and counted', async () => {
    const globbed = ear({ filter: { eventType: 'compute.*' } });
    const python = ear({ filter: NotificationFilter.fromOslo({ event_type: 'vol', payload: { state: '^active$' } }) });
    const listener = await listen([globbed, python]);
    const notifier = notifierOf();
    await notifier.info('compute.create', {});
    await notifier.info('volume.create', { state: 'active' });
    await notifier.info('volume.create', null);
    await notifier.info('image.create', {});
    await eventually(() => listener.counters.unmatched === 2);
    expect([globbed.types(), python.types()]).toEqual([['compute.create'], ['volume.create']]);
    await listener.close();
    expect(bus.waiting('notifications.info')).toBe(0);
    expect(bus.reports('notification-dropped').map(({ reason }) => reason)).toEqual(['unmatched', 'unmatched']);
  });

  it('one consumer per queue, bound to every exchange that is named; each hears its own', async () => {
    const nova = ear({ exchange: 'nova' });
    const cinder = ear({ exchange: 'cinder' });
    const listener = await listen([nova, cinder]);
    expect(listener.queues).toEqual(['notifications.info']);
    expect(queueIn(bus.bus, 'notifications.info')?.consumers).toBe(1);
    await notifierOf({ exchange: 'nova' }).info('from nova', {});
    await notifierOf({ exchange: 'cinder' }).info('from cinder', {});
    // A service on another exchange shares the queue, by its name.
    await notifierOf({ exchange: 'glance' }).info('from glance', {});
    await eventually(() => listener.counters.unmatched === 1);
    expect([nova.types(), cinder.types()]).toEqual([['from nova'], ['from cinder']]);
    expect(bus.reports('notification-dropped')).toEqual([
      expect.objectContaining({ level: 'warn', message: expect.stringContaining("'glance'") as string }),
    ]);
  });

  it("what comes by any exchange is for a listener of '*'", async () => {
    const [any, nova] = [ear({ exchange: '*' }), ear({ exchange: 'nova' })];
    await listen([any, nova]);
    await notifierOf({ exchange: 'nova' }).info('from nova', {});
    await notifierOf({ exchange: 'glance' }).info('from glance', {});
    await eventually(() => any.types().length === 2);
    expect([any.types(), nova.types()]).toEqual([['from nova', 'from glance'], ['from nova']]);
    expect(bus.reports('notification-dropped')).toEqual([]);
    expect(bus.bus.hasExchange('*')).toBe(false);
  });

  it('what was put straight into the queue is for everybody', async () => {
    const one = ear({ exchange: 'nova' });
    const listener = await listen([one]);
    const body = '{"priority": "info", "event_type": "direct"}';
    await bus.open().publish({ exchange: '', routingKey: 'notifications.info', body });
    await isAcked(listener, 1);
    expect(one.types()).toEqual(['direct']);
  });

  it('other topics have queues of their own', async () => {
    const one = ear({ topics: ['versioned_notifications'] });
    const two = ear();
    const listener = await listen([one, two], { topics: ['notifications'] });
    expect(listener.queues).toEqual(['versioned_notifications.info', 'notifications.info']);
    await notifierOf({ topics: ['versioned_notifications'] }).info('versioned', {});
    await isAcked(listener, 1);
    expect([one.types(), two.types()]).toEqual([['versioned'], []]);
  });

  it('a pool is a copy of the stream, with topics and priorities told apart', async () => {
    const common = ear();
    const audit = ear({ pool: 'audit', priorities: ['info', 'error'] });
    const errors = ear({ pool: 'audit', priorities: 'error', topics: ['other'] });
    const listener = await listen([common, audit, errors]);
    expect(listener.queues).toEqual(['notifications.info', 'audit']);
    await notifierOf().info('a', {});
    await notifierOf({ topics: ['notifications', 'other'] }).error('b', {});
    await isAcked(listener, 4);
    expect([common.types(), audit.types(), errors.types()]).toEqual([['a'], ['a', 'b'], ['b']]);
    expect(bus.waiting('notifications.error')).toBe(1);
  });

  it('an unknown priority in the body matches nobody', async () => {
    const one = ear();
    const listener = await listen([one]);
    const body = JSON.stringify({ priority: 'URGENT', event_type: 'a', _unique_id: 'u1' });
    await bus.open().publish({ exchange: 'openstack', routingKey: 'notifications.info', body });
    await eventually(() => listener.counters.unmatched === 1);
    expect(one.heard).toEqual([]);
  });
});

describe('failure and requeue', () => {
  it('without allowRequeue: acknowledged and reported', async () => {
    const failing = ear({ name: 'audit' }, () => {
      throw new Error('broken');
    });
    const asking = ear({}, () => NotificationResult.REQUEUE);
    const good = ear();
    const listener = await listen([failing, asking, good]);
    await notifierOf().info('a', {});
    await isAcked(listener, 1);
    expect([failing, asking, good].map(({ heard }) => heard.length)).toEqual([1, 1, 1]);
    expect(bus.reports('handler-failed')).toEqual([
      expect.objectContaining({ method: 'audit', error: new Error('broken') }),
    ]);
    expect(bus.reports('notification-dropped')).toEqual([
      expect.objectContaining({ reason: 'failed', message: expect.stringContaining('audit, listener 2') as string }),
    ]);
  });

  it('with allowRequeue: comes again, only to those that have not finished it', async () => {
    const good = ear();
    const refused = ear({}, () => {
      throw new Error('not allowed');
    });
    const thrice = ear({ allowRequeue: true }, (_, times) => {
      if (times === 1) throw new Error('broken');
      if (times === 2) return Promise.reject(new Error('broken again'));
      return times === 3 ? NotificationResult.REQUEUE : undefined;
    });
    const listener = await listen([good, refused, thrice]);
    await notifierOf().info('a', {});
    await isAcked(listener, 1);
    expect([good, refused, thrice].map(({ heard }) => heard.length)).toEqual([1, 1, 4]);
    expect(thrice.heard.map(({ redelivered, attempts }) => [redelivered, attempts])).toEqual([
      [false, 0],
      [true, 1],
      [true, 2],
      [true, 3],
    ]);
    expect(listener.counters).toMatchObject({ requeued: 3, redelivered: 3 });
    expect(bus.reports('notification-requeued').map(({ attempts }) => attempts)).toEqual([1, 2, 3]);
  });

  it('requeue() is the same', async () => {
    const one = ear({ allowRequeue: true }, (notification, times) => {
      if (times === 1) notification.requeue();
    });
    const listener = await listen([one]);
    await notifierOf().info('a', {});
    await isAcked(listener, 1);
    expect(one.heard).toHaveLength(2);
  });

  it('what came back from another process runs everywhere', async () => {
    const gone = ear({ allowRequeue: true }, () => NotificationResult.REQUEUE);
    const first = await listen([gone], { requeueBackoffMs: 60_000 });
    await notifierOf().info('a', {});
    await eventually(() => first.counters.requeued === 1);
    const one = ear();
    const second = await listen([one]);
    await first.close();
    await isAcked(second, 1);
    expect(one.heard[0]).toMatchObject({ redelivered: true, attempts: 0 });
  });

  it('one that requeues for ever is held back, while others flow', async () => {
    const order: string[] = [];
    const one = ear({ allowRequeue: true }, ({ eventType }) => {
      order.push(eventType!);
      return eventType === 'poison' ? NotificationResult.REQUEUE : undefined;
    });
    const listener = await listen([one], { requeueBackoffMs: 60_000 });
    const notifier = notifierOf();
    await notifier.info('poison', {});
    await eventually(() => listener.counters.redelivered === 1);
    for (let n = 0; n < 20; n++) await notifier.info('good', {});
    await isAcked(listener, 20);
    expect(order.filter((type) => type === 'poison')).toHaveLength(1);
    await listener.close();
    expect(bus.waiting('notifications.info')).toBe(1);
  });

  it('the limit ends it: acknowledged and reported', async () => {
    const one = ear({ allowRequeue: true }, () => NotificationResult.REQUEUE);
    const listener = await listen([one], { requeueLimit: 2 });
    await notifierOf().info('a', {});
    await isAcked(listener, 1);
    expect(one.heard).toHaveLength(3);
    expect(listener.counters).toMatchObject({ requeued: 2, deadLettered: 1 });
    expect(bus.reports('notification-dead-lettered')).toEqual([
      expect.objectContaining({ level: 'error', taken: false, attempts: 2, eventType: 'a' }),
    ]);
  });

  it('or the hook takes it; failing, it is asked again', async () => {
    const failure = new Error('broken');
    const one = ear({ name: 'audit', allowRequeue: true }, () => Promise.reject(failure));
    const letters: DeadLetter[] = [];
    const onDeadLetter = async (letter: DeadLetter) => {
      letters.push(letter);
      if (letters.length === 1) throw new Error('no disk');
    };
    const listener = await listen([one], { requeueLimit: 0, onDeadLetter });
    await notifierOf().info('a', { id: 7 });
    await isAcked(listener, 1);
    expect(letters).toHaveLength(2);
    expect(letters[1]).toMatchObject({
      notification: { eventType: 'a', payload: { id: 7 } },
      failures: [{ listener: 'audit', error: failure }],
    });
    expect(bus.reports('notification-dead-lettered')).toEqual([expect.objectContaining({ taken: true })]);
  });
});

describe('duplicates', () => {
  const body = (unique?: string) =>
    JSON.stringify({ priority: 'info', event_type: 'a', ...(unique && { _unique_id: unique }) });
  const publish = (text: string) =>
    bus.open().publish({ exchange: 'openstack', routingKey: 'notifications.info', body: text });

  it('are not known by an empty id', async () => {
    const one = ear({});
    const listener = await listen([one]);
    for (let n = 0; n < 3; n += 1) {
      const ids = { message_id: '', ...(n > 0 && { _unique_id: '' }) };
      await publish(JSON.stringify({ priority: 'info', event_type: 'a', n, ...ids }));
    }
    await eventually(() => one.heard.length === 3);
    expect(listener.counters.duplicates).toBe(0);
  });

  it('are recognised once the first is acknowledged, also while it runs', async () => {
    let finish: (() => void) | undefined;
    const one = ear({}, () => new Promise<void>((resolve) => (finish = resolve)));
    const listener = await listen([one]);
    await publish(body('u1'));
    await publish(body('u1'));
    await eventually(() => one.heard.length === 1);
    expect(listener.counters.duplicates).toBe(0);
    finish!();
    await eventually(() => listener.counters.duplicates === 1);
    await publish(body('u1'));
    await eventually(() => listener.counters.duplicates === 2);
    expect(one.heard).toHaveLength(1);
    await listener.close();
    expect(bus.waiting('notifications.info')).toBe(0);
  });

  it('are none without an id: two that say the same are two', async () => {
    const one = ear();
    const listener = await listen([one]);
    await publish(body());
    await publish(body());
    await isAcked(listener, 2);
    expect(one.heard).toHaveLength(2);
  });

  it('are none in a pool, which has a copy of its own', async () => {
    const [common, audit] = [ear(), ear({ pool: 'audit' })];
    const listener = await listen([common, audit]);
    await publish(body('u1'));
    await isAcked(listener, 2);
    expect([common.types(), audit.types()]).toEqual([['a'], ['a']]);
  });
});

describe('an interrupted line', () => {
  it('what had ended is not run again, what had not begun is', async () => {
    let finish: (() => void) | undefined;
    const slow = ear({}, (_, times) => (times === 1 ? new Promise<void>((resolve) => (finish = resolve)) : undefined));
    const after = ear();
    const listener = await listen([slow, after]);
    const notifier = notifierOf();
    await notifier.info('a', {});
    await notifier.info('b', {});
    await eventually(() => slow.heard.length === 1);
    bus.bus.interrupt();
    await eventually(() => listener.counters.redelivered === 2);
    finish!();
    await isAcked(listener, 2);
    expect(slow.types().toSorted()).toEqual(['a', 'b']);
    expect(after.types().toSorted()).toEqual(['a', 'b']);
  });

  it('a batch that had not begun is collected anew', async () => {
    const batches: (string | undefined)[][] = [];
    const listener = await listen([
      {
        priorities: 'info',
        batch: { size: 3, timeoutMs: 60_000 },
        handler: (list: readonly IncomingNotification[]) => void batches.push(list.map(({ eventType }) => eventType)),
      },
    ]);
    const notifier = notifierOf();
    await notifier.info('a', {});
    await notifier.info('b', {});
    bus.bus.interrupt();
    await eventually(() => listener.counters.redelivered === 2);
    await notifier.info('c', {});
    await isAcked(listener, 3);
    expect(batches.map((batch) => batch.toSorted())).toEqual([['a', 'b', 'c']]);
  });
});

describe('order and concurrency', () => {
  const notifyMany = async (count: number) => {
    const notifier = notifierOf();
    for (let n = 0; n < count; n++) await notifier.info(String(n), {});
  };
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));

  it('by default a listener gets the messages of a queue in order, one at a time', async () => {
    let running = 0;
    let most = 0;
    const one = ear({}, async () => {
      most = Math.max(most, ++running);
      await pause(1);
      running--;
    });
    const listener = await listen([one, ear()]);
    await notifyMany(30);
    await isAcked(listener, 30);
    expect(most).toBe(1);
    expect(one.types()).toEqual(numbers(30));
  });

  it('or as many as it allows', async () => {
    const releases: (() => void)[] = [];
    const one = ear({ concurrency: 4 }, () => new Promise<void>((resolve) => releases.push(resolve)));
    const listener = await listen([one]);
    await notifyMany(10);
    await eventually(() => listener.counters.acknowledged === 0 && releases.length === 4);
    while (listener.counters.acknowledged < 10) {
      releases.splice(0).forEach((release) => release());
      await pause(1);
    }
    expect(one.types()).toEqual(numbers(10));
  });

  it('one slower than the stream holds no more than the prefetch, and other queues flow', async () => {
    const slow = ear({}, () => new Promise<void>(() => undefined));
    const errors = ear({ priorities: 'error' });
    const listener = await listen([slow, errors]);
    const notifier = notifierOf();
    await Promise.all(Array.from({ length: 400 }, () => notifier.info('a', {})));
    await notifier.error('b', {});
    await isAcked(listener, 1);
    await eventually(() => bus.waiting('notifications.info') === 400 - 256);
    expect([slow.heard.length, errors.heard.length]).toEqual([1, 1]);
  });
});

describe('batches', () => {
  const batching = (batch: { size: number; timeoutMs?: number }, given: object = {}) => {
    const batches: IncomingNotification[][] = [];
    const registration: NotificationRegistration = {
      priorities: ['info', 'error'],
      batch,
      handler: (list: readonly IncomingNotification[]) => void batches.push([...list]),
      ...given,
    };
    return { batches, registration, sizes: () => batches.map(({ length }) => length) };
  };

  it('are handed over when full, or when the first has waited long enough', async () => {
    const { registration, sizes } = batching({ size: 5, timeoutMs: 500 });
    const listener = await listen([registration]);
    const notifier = notifierOf();
    await Promise.all(
      Array.from({ length: 12 }, (_, n) => (n % 2 ? notifier.info : notifier.error).call(notifier, 'a', {})),
    );
    await isAcked(listener, 12);
    expect(sizes()).toEqual([5, 5, 2]);
  });

  it('take from the common queue, whose acknowledgement waits for them; others need not', async () => {
    const { registration, batches } = batching({ size: 2, timeoutMs: 60_000 });
    const one = ear();
    const listener = await listen([registration, one]);
    await notifierOf().info('a', {});
    await eventually(() => one.heard.length === 1);
    expect(listener.counters.acknowledged).toBe(0);
    await notifierOf().info('b', {});
    await isAcked(listener, 2);
    expect(batches).toHaveLength(1);
  });

  it('failing requeues all of them, requeue() only one', async () => {
    let times = 0;
    const handler = (list: readonly IncomingNotification[]) => {
      times++;
      batches.push(list.map(({ eventType }) => eventType!));
      if (times === 1) throw new Error('broken');
      if (times === 2) list.find(({ eventType }) => eventType === 'b')!.requeue();
    };
    const batches: string[][] = [];
    const { registration } = batching({ size: 3, timeoutMs: 500 }, { handler, allowRequeue: true });
    const listener = await listen([registration]);
    const notifier = notifierOf();
    await Promise.all(['a', 'b', 'c'].map((type) => notifier.info(type, {})));
    await isAcked(listener, 3);
    expect(batches.map((batch) => batch.toSorted())).toEqual([['a', 'b', 'c'], ['a', 'b', 'c'], ['b']]);
    expect(listener.counters.requeued).toBe(4);
  });

  it('larger than the usual prefetch can be filled', async () => {
    const { registration, sizes } = batching({ size: 300, timeoutMs: 60_000 }, { priorities: 'info' });
    const listener = await listen([registration]);
    const notifier = notifierOf();
    await Promise.all(Array.from({ length: 300 }, () => notifier.info('a', {})));
    await isAcked(listener, 300);
    expect(sizes()).toEqual([300]);
  });
});

describe('poison', () => {
  it.each([
    ['no JSON', 'text'],
    ['no object', '[1]'],
    ['a wrong envelope', '{"oslo.version": "3.0", "oslo.message": "{}"}'],
    ['a priority that is a number', '{"priority": 1}'],
    ['a payload with __proto__', '{"priority": "info", "payload": {"__proto__": {}}}'],
    ['100 000 brackets', '['.repeat(100_000)],
  ])('%s is rejected and reported, the next is heard', async (_what, body) => {
    const one = ear();
    const listener = await listen([one]);
    await bus.open().publish({ exchange: 'openstack', routingKey: 'notifications.info', body });
    await notifierOf().info('good', {});
    await isAcked(listener, 1);
    expect(one.types()).toEqual(['good']);
    expect(listener.counters.rejected).toBe(1);
    expect(bus.reports('message-rejected')).toEqual([expect.objectContaining({ queue: 'notifications.info' })]);
    await listener.close();
    expect(bus.waiting('notifications.info')).toBe(0);
  });

  it('what the serializer refuses is rejected too', async () => {
    const serializer = {
      deserializeContext: (context: object) => ({ ...context }),
      deserializeEntity: () => {
        throw new Error('unknown object');
      },
    };
    const one = ear();
    const listener = await listen([one], { serializer });
    await notifierOf().info('a', {});
    await eventually(() => listener.counters.rejected === 1);
    expect(one.heard).toEqual([]);
  });
});

describe('drain', () => {
  it('ends what runs, hands partial batches over, gives back what has not begun', async () => {
    let finish: (() => void) | undefined;
    const slow = ear({}, () => new Promise<void>((resolve) => (finish = resolve)));
    const after = ear();
    const batches: number[] = [];
    const batch: NotificationRegistration = {
      priorities: 'error',
      batch: { size: 10, timeoutMs: 60_000 },
      handler: (list: readonly IncomingNotification[]) => void batches.push(list.length),
    };
    const listener = await listen([slow, after, batch]);
    const notifier = notifierOf();
    for (const type of ['a', 'b', 'c']) await notifier.info(type, {});
    for (const type of ['d', 'e']) await notifier.error(type, {});
    await eventually(() => slow.heard.length === 1 && bus.waiting('notifications.error') === 0);
    const drained = listener.drain();
    await eventually(() => bus.waiting('notifications.info') === 2);
    finish!();
    await drained;
    expect([slow.types(), after.types(), batches]).toEqual([['a'], ['a'], [2]]);
    expect(listener.counters).toMatchObject({ acknowledged: 3, abandoned: 0 });
    expect(bus.waiting('notifications.info')).toBe(2);
    expect(bus.waiting('notifications.error')).toBe(0);
    await listener.close();
    await expect(listener.start()).rejects.toBeInstanceOf(ClosedError);
  });

  it('is bounded: what does not end is delivered again', async () => {
    const listener = await listen([ear({}, () => new Promise<void>(() => undefined))], { shutdownTimeoutMs: 20 });
    await notifierOf().info('a', {});
    await eventually(() => bus.waiting('notifications.info') === 0);
    await listener.drain();
    expect(listener.counters.abandoned).toBe(1);
    expect(bus.waiting('notifications.info')).toBe(1);
  });
});

describe('what makes no sense is refused', () => {
  it.each<[string, Partial<NotificationRegistration>]>([
    ['no priorities', { priorities: [] }],
    ['an unknown priority', { priorities: 'warning' as 'warn' }],
    ['no topics', { topics: [] }],
    ['a batch of none', { batch: { size: 0 } }],
    ['no concurrency', { concurrency: 0 }],
    ['a filter of another kind', { filter: { eventType: {} as string } }],
    ['a pool named like the common queue', { pool: 'notifications.error' }],
  ])('%s', (_what, given) => {
    const registrations = [ear({ priorities: 'error' }), { ...ear(), ...given } as NotificationRegistration];
    expect(() => new NotificationListener(bus.open(), registrations)).toThrow(ConfigurationError);
  });

  it('a queue that exists with other properties ends the start', async () => {
    const declaration = { kind: 'queue', name: 'notifications.info', durable: false, autoDelete: true, arguments: {} };
    bus.bus.declare([declaration as never]);
    const listener = new NotificationListener(bus.open(), [ear(), ear({ priorities: 'error' })]);
    await expect(listener.start()).rejects.toBeInstanceOf(PreconditionFailed);
    expect(queueIn(bus.bus, 'notifications.error')?.consumers).toBe(0);
  });
});
