import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import {
  type Broker,
  connectBroker,
  createBroker,
  type IncomingNotification,
  MalformedMessage,
  MessageDeliveryFailure,
  type MessagingEvent,
  MessagingTimeout,
  NotificationListener,
  NotificationListeners,
  NotificationModule,
  Notifier,
  OnNotification,
  OsloNotificationContext,
  type NotificationListenerOptions,
  type NotificationRegistration,
  NotifierCore,
  type NotifierOptions,
  type RabbitOptions,
} from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { KafkaRecords } from '../../support/kafka-records.js';
import { type KafkaServer, startKafka } from '../../support/kafka-server.js';

let kafka: KafkaServer;
let records: KafkaRecords;
let topic: string;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  kafka = await startKafka();
  records = new KafkaRecords(kafka.address);
});
afterAll(() => kafka?.dispose());
beforeEach(() => {
  topic = `t-${randomUUID().slice(0, 8)}`;
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

const events: MessagingEvent[] = [];
beforeEach(() => void events.splice(0));

function closing<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

/** In a group of its own, so that no test shares with another one. */
async function broker(options: RabbitOptions = {}): Promise<Broker> {
  const group = { consumerGroup: `group-${topic}`, ...options.kafka };
  const made = await connectBroker(kafka.url, { startupTimeoutMs: 20_000, ...options, kafka: group });
  made.events.subscribe((event) => void events.push(event));
  return closing(made);
}

function notifier(of: Broker, options: NotifierOptions = {}): NotifierCore {
  return closing(new NotifierCore(of, { topics: [topic], publisherId: 'compute.host1', ...options }));
}

interface Heard extends NotificationListener {
  types(): (string | undefined)[];
}

async function listening(
  of: Broker,
  registration: Partial<NotificationRegistration> = {},
  options: NotificationListenerOptions = {},
): Promise<Heard> {
  const heard: IncomingNotification[] = [];
  const take = (notification: IncomingNotification): void => void heard.push(notification);
  const registrations = [{ priorities: ['info'], handler: take, ...registration } as NotificationRegistration];
  const listener = new NotificationListener(of, registrations, { topics: [topic], ...options });
  closing(listener);
  await listener.start();
  return Object.assign(listener, { types: () => heard.map(({ eventType }) => eventType) });
}

it('a notification is a record without key and headers, in the envelope, its context an object', async () => {
  const sender = await broker();
  await notifier(sender, { driver: ['messaging'] }).info('a.b', { x: 1 }, { context: { user: 'u', auth_token: 's' } });
  const [record] = await records.read(`${topic}.info`, 1);
  expect(record).toMatchObject({ key: undefined, headers: 0 });
  const envelope = JSON.parse(record!.value) as Record<string, string>;
  expect(envelope['oslo.version']).toBe('2.0');
  expect(JSON.parse(envelope['oslo.message']!)).toEqual({
    message_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    publisher_id: 'compute.host1',
    event_type: 'a.b',
    priority: 'INFO',
    payload: { x: 1 },
    timestamp: expect.any(String) as unknown,
    _context: { user: 'u', auth_token: null },
  });
});

it('listeners take by priority, topic, filter and pool', async () => {
  const bus = await broker();
  const other = `${topic}-other`;
  const heard: string[] = [];
  const note =
    (who: string) =>
    (n: IncomingNotification): void =>
      void heard.push(`${who} ${n.eventType} ${n.origin.routingKey.replace(topic, 't')}`);
  const listener = closing(
    new NotificationListener(
      bus,
      [
        { priorities: ['info', 'error'], exchange: 'any', handler: note('plain') },
        { priorities: 'info', filter: { eventType: 'b.*' }, handler: note('filtered') },
        { priorities: 'info', topics: [topic, other], pool: `${topic}-audit`, handler: note('pool') },
        { priorities: 'info', topics: [other], pool: `${topic}-audit`, handler: note('pool, other') },
      ],
      { topics: [topic] },
    ),
  );
  await listener.start();
  expect(listener.health).toEqual({ connected: true, blocked: false, consuming: true, draining: false });
  const sender = notifier(bus);
  await sender.info('a.1', {});
  await sender.error('b.2', {});
  await sender.info('b.3', {});
  await notifier(bus, { topics: [other] }).info('c.4', {});
  await expect
    .poll(() => heard.toSorted())
    .toEqual([
      'filtered b.3 t.info',
      'plain a.1 t.info',
      'plain b.2 t.error',
      'plain b.3 t.info',
      'pool a.1 t.info',
      'pool b.3 t.info',
      'pool c.4 t-other.info',
      'pool, other c.4 t-other.info',
    ]);
  await expect.poll(() => listener.counters).toMatchObject({ acknowledged: 6, duplicates: 0, rejected: 0 });
});

it('a virtual host is the end of the topic, for both', async () => {
  const url = `${kafka.url}region1`;
  const bus = closing(await connectBroker(url, { startupTimeoutMs: 20_000, kafka: { consumerGroup: topic } }));
  const listener = await listening(bus);
  await notifier(bus).info('a.b', {});
  await expect.poll(() => listener.types()).toEqual(['a.b']);
  expect(await records.read(`${topic}.info.region1`, 1)).toHaveLength(1);
});

it('what cannot be read is rejected, and the next one taken', async () => {
  const bus = await broker({ maxMessageBytes: 1_000 });
  const listener = await listening(bus);
  await records.write(
    `${topic}.info`,
    Buffer.from('no json'),
    Buffer.alloc(0),
    Buffer.from('{"oslo.version":"3.0","oslo.message":"{}"}'),
    Buffer.alloc(2_000, 'x'),
  );
  await notifier(bus).info('after', {});
  await expect.poll(() => listener.types()).toEqual(['after']);
  await expect.poll(() => listener.counters.rejected).toBe(4);
  const rejected = events.filter(({ type }) => type === 'message-rejected');
  const reasons = ['2000 bytes', 'not JSON', 'not JSON', 'version 3.0'];
  expect(rejected.map(({ message }) => reasons.find((reason) => message.includes(reason))).toSorted()).toEqual(reasons);
});

it.each(['gzip', 'snappy', 'lz4'] as const)('sends and reads %s', async (compressionCodec) => {
  const bus = await broker({ kafka: { compressionCodec } });
  const listener = await listening(bus);
  const payload = { text: 'again and '.repeat(500) };
  await Promise.all([1, 2, 3].map((n) => notifier(bus).info(`a.${n}`, payload)));
  await expect.poll(() => listener.types().toSorted()).toEqual(['a.1', 'a.2', 'a.3']);
});

it('batches are handed over together', async () => {
  const bus = await broker();
  const sizes: number[] = [];
  const handler = (list: readonly IncomingNotification[]): void => void sizes.push(list.length);
  await listening(bus, { batch: { size: 300, timeoutMs: 5_000 }, handler });
  const sender = notifier(bus);
  await Promise.all(Array.from({ length: 600 }, (_, n) => sender.info(`a.${n}`, {})));
  await expect.poll(() => sizes).toEqual([300, 300]);
});

describe('committed before it is handed over', () => {
  it('as much as is held here, the rest stays for others', async () => {
    const bus = await broker({ rabbitQosPrefetchCount: 4 });
    const started: (string | undefined)[] = [];
    const never = new Promise<void>(() => undefined);
    const handler = (n: IncomingNotification): Promise<void> => {
      started.push(n.eventType);
      return never;
    };
    const listener = await listening(bus, { handler }, { shutdownTimeoutMs: 100 });
    const sender = notifier(bus);
    await Promise.all(Array.from({ length: 10 }, (_, n) => sender.info(`a.${n}`, {})));
    await expect.poll(() => records.committed(`group-${topic}`, `${topic}.info`)).toBe(4n);
    expect(started).toEqual(['a.0']);
    await listener.close();
    expect(events.findLast(({ type }) => type === 'lifecycle-changed')?.message).toContain('they do not come again');
    const next = await listening(bus);
    await expect.poll(() => next.types()).toEqual(['a.4', 'a.5', 'a.6', 'a.7', 'a.8', 'a.9']);
  });

  it('what is held is done before the listener is closed', async () => {
    const bus = await broker({ rabbitQosPrefetchCount: 4 });
    const done: (string | undefined)[] = [];
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const handler = async (n: IncomingNotification): Promise<void> => {
      await released;
      done.push(n.eventType);
    };
    const listener = await listening(bus, { handler });
    const sender = notifier(bus);
    await Promise.all(Array.from({ length: 6 }, (_, n) => sender.info(`a.${n}`, {})));
    await expect.poll(() => records.committed(`group-${topic}`, `${topic}.info`)).toBe(4n);
    const closed = listener.close();
    release();
    await closed;
    expect(done).toEqual(['a.0', 'a.1', 'a.2', 'a.3']);
    expect(listener.counters).toMatchObject({ acknowledged: 4, abandoned: 0 });
  });

  it('in order, and never back, while handlers are slow', async () => {
    const bus = await broker({ rabbitQosPrefetchCount: 4 });
    const done: (string | undefined)[] = [];
    const handler = async (n: IncomingNotification): Promise<void> => {
      await setImmediate();
      done.push(n.eventType);
    };
    const listener = await listening(bus, { handler });
    const sender = notifier(bus);
    const types = Array.from({ length: 100 }, (_, n) => `a.${n}`);
    await Promise.all(types.map((type) => sender.info(type, {})));
    await expect.poll(() => done.length).toBe(100);
    expect(done).toEqual(types);
    expect(await records.committed(`group-${topic}`, `${topic}.info`)).toBe(100n);
    expect(listener.counters).toMatchObject({ acknowledged: 100, duplicates: 0 });
  });

  it('or every few seconds, where that is wanted', async () => {
    const bus = await broker({ kafka: { enableAutoCommit: true } });
    const listener = await listening(bus);
    await notifier(bus).info('a.b', {});
    await expect.poll(() => listener.types()).toEqual(['a.b']);
    expect(await records.committed(`group-${topic}`, `${topic}.info`)).toBe(0n);
    await listener.close();
    expect(await records.committed(`group-${topic}`, `${topic}.info`)).toBe(1n);
  });
});

it('bytes that are held are bounded', async () => {
  const bus = await broker({ maxHeldBytes: 50_000 });
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  let count = 0;
  await listening(bus, { handler: () => released.then(() => void (count += 1)) });
  const sender = notifier(bus);
  await Promise.all(Array.from({ length: 20 }, () => sender.info('large', { text: 'x'.repeat(20_000) })));
  await expect.poll(() => records.committed(`group-${topic}`, `${topic}.info`)).toBeGreaterThan(0n);
  release();
  await expect.poll(() => count).toBe(20);
  expect(events.filter(({ type }) => type === 'message-rejected')).toEqual([]);
});

it('members of a group share the partitions, and take over from who leaves', async () => {
  await records.makeTopic(`${topic}.info`, 2);
  const [one, two] = [await broker(), await broker()];
  const first = await listening(one);
  const second = await listening(two);
  const sender = notifier(one);
  let sent = 0;
  const some = async (): Promise<void> => {
    for (let n = 0; n < 4; n++) await sender.info(`a.${sent++}`, {});
  };
  await eventually(async () => {
    await some();
    return first.types().length > 0 && second.types().length > 0;
  }, 'both having some');
  await second.close();
  const before = first.types().length;
  await some();
  const all = (): unknown[] => [...first.types(), ...second.types()].toSorted();
  await expect.poll(() => new Set(all()).size, { timeout: 10_000 }).toBe(sent);
  expect(all()).toHaveLength(sent);
  await expect.poll(() => first.types().length).toBeGreaterThan(before + 3);
});

it('members of one group may listen to different priorities', async () => {
  const infos = await listening(await broker());
  const bus = await broker();
  const errors = await listening(bus, { priorities: 'error' });
  const sender = notifier(bus);
  await sender.info('i', {});
  await sender.error('e', {});
  await expect.poll(() => [infos.types(), errors.types()], { timeout: 10_000 }).toEqual([['i'], ['e']]);
});

it('what Kafka has thrown away meanwhile is told, and the rest goes on', async () => {
  const bus = await broker();
  await (await listening(bus)).close();
  const sender = notifier(bus);
  for (const type of ['lost.1', 'lost.2', 'lost.3']) await sender.info(type, {});
  await records.deleteBefore(`${topic}.info`, 2n);
  const listener = await listening(bus);
  await expect.poll(() => events.filter(({ type }) => type === 'message-rejected')).toHaveLength(1);
  await sender.info('after', {});
  // As librdkafka with `auto.offset.reset` latest.
  await expect.poll(() => listener.types()).toEqual(['after']);
});

it('a group misses nothing once it has begun, also while nobody listens', async () => {
  const bus = await broker();
  await notifier(bus).info('before it began', {});
  await (await listening(bus)).close();
  await notifier(bus).info('meanwhile', {});
  const listener = await listening(bus);
  await expect.poll(() => listener.types()).toEqual(['meanwhile']);
});

it('in Nest', async () => {
  const heard: unknown[] = [];
  @Injectable()
  class Listener {
    @OnNotification(['info'], { eventType: 'compute.*' })
    onInfo(@Payload() payload: unknown, @Ctx() context: OsloNotificationContext): void {
      heard.push([payload, context.eventType]);
    }
  }
  const options = { transportUrl: kafka.url, topics: [topic], kafka: { consumerGroup: `group-${topic}` } };
  @Module({ imports: [NotificationModule.forRoot(options)], providers: [Listener] })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  closing(app);
  expect(app.get(NotificationListeners).health).toMatchObject({ connected: true, consuming: true });
  await app.get(Notifier).info('compute.a', { x: 1 });
  await expect.poll(() => heard).toEqual([[{ x: 1 }, 'compute.a']]);
});

describe('refused', () => {
  it('too large a message alone, and no other', async () => {
    const bus = await broker();
    const sender = notifier(bus);
    const outcomes = await Promise.allSettled([
      sender.info('small.1', {}),
      sender.info('large', { text: 'x'.repeat(2_000_000) }),
      sender.info('small.2', {}),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((outcomes[1] as PromiseRejectedResult).reason).toBeInstanceOf(MalformedMessage);
    const types = (await records.read(`${topic}.info`, 2)).map(({ value }) => /small\.\d/.exec(value)?.[0]);
    expect(types).toEqual(['small.1', 'small.2']);
  });

  it('a topic that Kafka cannot have', async () => {
    const bus = await broker();
    const sent = notifier(bus, { topics: ['not a topic!'] }).info('a', {});
    await expect(sent).rejects.toThrow(MessageDeliveryFailure);
    await expect(sent).rejects.toThrow(/invalid topic/);
    const listener = new NotificationListener(bus, [{ priorities: 'info', handler: () => undefined }], {
      topics: ['not a topic!'],
    });
    await expect(listener.start()).rejects.toThrow(MessageDeliveryFailure);
  });
});

describe('while Kafka is away', () => {
  it('notifications wait, within their bounds, and everything goes on when it is back', async () => {
    const bus = await broker({ maxInFlightMessages: 2 });
    const listener = await listening(bus);
    const sender = notifier(bus);
    await sender.info('before', {});
    await expect.poll(() => listener.types()).toEqual(['before']);
    await kafka.kill();
    await expect.poll(() => bus.state).toBe('connecting');
    await expect.poll(() => listener.health).toMatchObject({ connected: false, consuming: false });
    await expect(sender.prepare({ retry: 0 }).info('never', {})).rejects.toThrow(MessageDeliveryFailure);
    await expect(sender.info('never', {}, { timeout: 0.2 })).rejects.toThrow(MessagingTimeout);
    const waiting = [sender.info('first', {}), sender.info('second', {})];
    await expect(sender.info('third', {})).rejects.toThrow(/maxInFlightMessages/);
    await expect(connectBroker(kafka.url, { startupTimeoutMs: 0 })).rejects.toThrow(/ECONNREFUSED/);
    const late = closing(createBroker(kafka.url, { kafka: { consumerGroup: `${topic}-late` } }));
    const lateStart = listening(late);
    await kafka.start();
    await Promise.all(waiting);
    await expect.poll(() => listener.types(), { timeout: 20_000 }).toEqual(['before', 'first', 'second']);
    const lateListener = await lateStart;
    await notifier(bus).info('after', {});
    await expect.poll(() => lateListener.types(), { timeout: 20_000 }).toContain('after');
    const phases = events.flatMap((event) =>
      event.type === 'connection-changed' ? [`${event.connection} ${event.to}`] : [],
    );
    expect(phases).toContain('publish disconnected');
    expect(phases).toContain('consume disconnected');
    expect(phases.findLast((phase) => phase.startsWith('publish'))).toBe('publish connected');
    expect(phases.findLast((phase) => phase.startsWith('consume'))).toBe('consume connected');
  }, 60_000);

  it('or silent, that is noticed, and got over', async () => {
    const bus = await broker({ livenessTimeoutMs: 1_000 });
    const listener = await listening(bus);
    const sender = notifier(bus);
    await sender.info('before', {});
    await expect.poll(() => listener.types()).toEqual(['before']);
    kafka.freeze();
    try {
      const sent = sender.info('meanwhile', {});
      await expect.poll(() => bus.state, { timeout: 15_000 }).toBe('connecting');
      await expect.poll(() => listener.health.consuming, { timeout: 15_000 }).toBe(false);
      kafka.thaw();
      await sent;
      await expect.poll(() => listener.types(), { timeout: 20_000 }).toContain('meanwhile');
      expect(listener.health).toMatchObject({ connected: true, consuming: true });
    } finally {
      kafka.thaw();
    }
  }, 60_000);

  it('a close does not wait for it', async () => {
    const bus = await broker();
    const listener = await listening(bus);
    await kafka.kill();
    const sent = notifier(bus).info('never', {});
    sent.catch(() => undefined);
    const began = performance.now();
    await listener.close();
    await bus.close();
    expect(performance.now() - began).toBeLessThan(20_000);
    await expect(sent).rejects.toThrow(/closed/);
    await kafka.start();
  }, 60_000);
});
