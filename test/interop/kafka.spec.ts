import { randomUUID } from 'node:crypto';
import zlib from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Broker,
  connectBroker,
  type IncomingNotification,
  NotificationListener,
  type NotificationRegistration,
  NotifierCore,
} from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { KafkaRecords } from '../support/kafka-records.js';
import { type KafkaServer, startKafka } from '../support/kafka-server.js';
import { PythonPeer } from './support/python-peer.js';

/** The only version whose environment has confluent-kafka. */
const version = '18.3.1';

let kafka: KafkaServer;
let topic: string;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.dispose());
beforeEach(() => {
  topic = `t-${randomUUID().slice(0, 8)}`;
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

function closing<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

async function python(vhost = '', conf: Record<string, boolean | number | string> = {}): Promise<PythonPeer> {
  const group = { consumer_group: `group-${topic}`, ...conf };
  return closing(
    await PythonPeer.start({ version, url: `${kafka.url}${vhost}`, conf: { oslo_messaging_kafka: group } }),
  );
}

async function ours(vhost = '', group = `group-${topic}`): Promise<Broker> {
  const options = { startupTimeoutMs: 20_000, kafka: { consumerGroup: group } };
  return closing(await connectBroker(`${kafka.url}${vhost}`, options));
}

function notifier(broker: Broker): NotifierCore {
  return closing(new NotifierCore(broker, { topics: [topic], publisherId: 'node.host1' }));
}

async function listening(
  broker: Broker,
  registration: Partial<NotificationRegistration> = {},
): Promise<{ listener: NotificationListener; heard: IncomingNotification[] }> {
  const heard: IncomingNotification[] = [];
  const take = (n: IncomingNotification): void => void heard.push(n);
  const registrations = [{ priorities: ['info', 'error'], handler: take, ...registration } as NotificationRegistration];
  const listener = closing(new NotificationListener(broker, registrations, { topics: [topic] }));
  await listener.start();
  return { listener, heard };
}

/** Its consumer makes no topics, and looks for them rarely. */
async function makeTopics(...priorities: string[]): Promise<void> {
  const records = new KafkaRecords(kafka.address);
  for (const priority of priorities) await records.makeTopic(`${topic}.${priority}`, 1);
}

describe('a notifier in Python', () => {
  it.each(['messaging', 'messagingv2'])('by driver %s', async (driver) => {
    const { heard } = await listening(await ours());
    const peer = await python();
    await peer.notify({
      priority: 'error',
      event_type: 'compute.instance.create.error',
      payload: { instance_id: 'i-1', size: 2 ** 40, text: 'ü' },
      context: { user: 'alice', project_id: 'p1', auth_token: 'secret' },
      topics: [topic],
      driver,
    });
    await expect.poll(() => heard.length, { timeout: 15_000 }).toBe(1);
    const [notification] = heard;
    expect(notification).toMatchObject({
      priority: 'error',
      eventType: 'compute.instance.create.error',
      publisherId: 'python.host1',
      payload: { instance_id: 'i-1', size: 2 ** 40, text: 'ü' },
      requestContext: { user: 'alice', project_id: 'p1' },
    });
    expect(notification!.uniqueId).toBeUndefined();
    expect(notification!.messageId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('with a virtual host', async () => {
    const { heard } = await listening(await ours('region1'));
    const peer = await python('region1');
    await peer.notify({ priority: 'info', event_type: 'a.b', payload: {}, topics: [topic] });
    await expect.poll(() => heard.map(({ eventType }) => eventType), { timeout: 15_000 }).toEqual(['a.b']);
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('that compresses with %s', async (compression_codec) => {
    const { heard, listener } = await listening(await ours());
    const peer = await python('', { compression_codec });
    const payload = { text: 'again and '.repeat(200) };
    await peer.notify({ priority: 'info', event_type: 'compressed', payload, topics: [topic] });
    const types = (): unknown[] => heard.map(({ eventType }) => eventType);
    if (compression_codec !== 'zstd' || 'zstdDecompressSync' in zlib) {
      await expect.poll(types, { timeout: 15_000 }).toEqual(['compressed']);
      expect(heard[0]!.payload).toEqual(payload);
      return;
    }
    // This Node.js has no zstd: it is told, and what comes behind it is taken.
    await expect.poll(() => listener.counters.rejected, { timeout: 15_000 }).toBe(1);
    await notifier(await ours()).info('after', {});
    await expect.poll(types, { timeout: 15_000 }).toEqual(['after']);
  });
});

describe('a listener in Python', () => {
  it('hears us, by priority', async () => {
    await makeTopics('info', 'error');
    const peer = await python();
    await peer.listen({ name: 'l', targets: [{ topic }], priorities: ['info', 'error'] });
    const sender = notifier(await ours());
    await sender.error('compute.failed', { n: 1 }, { context: { user: 'alice', auth_token: 'secret' } });
    const heard = await peer.waitFor('notification');
    expect(heard).toMatchObject({
      priority: 'error',
      publisherId: 'node.host1',
      eventType: 'compute.failed',
      payload: { n: 1 },
      context: { user: 'alice', auth_token: null },
    });
  });

  it('shares its group with us, and a pool gets all', async () => {
    await makeTopics('info');
    const peer = await python();
    await peer.listen({ name: 'l', targets: [{ topic }] });
    const broker = await ours();
    const { heard } = await listening(broker, { priorities: 'info' });
    const pool = await listening(broker, { priorities: 'info', pool: `${topic}-audit` });
    const sender = notifier(broker);
    // Python begins with what comes after it was given a partition, so that what came before the group had settled is nobody's.
    const inGroup = (): unknown[] => [
      ...heard.map(({ eventType }) => eventType),
      ...peer.notifications('l').map(({ eventType }) => eventType),
    ];
    let sent = 0;
    await eventually(
      async () => {
        await sender.info(`before.${sent++}`, {});
        return inGroup().length > 0;
      },
      'a settled group',
      30_000,
    );
    for (let n = 0; n < 6; n++) await sender.info(`a.${n}`, {});
    const expected = ['a.0', 'a.1', 'a.2', 'a.3', 'a.4', 'a.5'];
    const afterwards = (): unknown[] => inGroup().filter((type) => String(type).startsWith('a.'));
    await expect.poll(() => afterwards().toSorted(), { timeout: 20_000 }).toEqual(expected);
    await expect.poll(() => pool.heard.length, { timeout: 20_000 }).toBe(sent + 6);
  }, 60_000);
});
