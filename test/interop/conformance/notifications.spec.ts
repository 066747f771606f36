import { afterEach, describe, expect, it } from 'vitest';
import {
  type BatchRegistration,
  type Broker,
  connectBroker,
  type IncomingNotification,
  NotificationListener,
  NotificationResult,
  type NotificationListenerOptions,
  type NotificationRegistration,
} from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { type PythonPeer, pythonVersions, usePythonPeer } from '../support/python-peer.js';

/** Notifies as the listener tests of oslo.messaging do. */
async function notify(python: PythonPeer, topic: string, payload: unknown, user = 'bob'): Promise<void> {
  await python.notify({
    priority: 'info',
    event_type: 'an_event.start',
    payload,
    publisher_id: 'testpublisher',
    driver: 'messaging',
    topics: [topic],
    context: { user },
  });
}

// TestNotifyListener.
describe.each(pythonVersions)('conformance of our listener, oslo.messaging %s notifies', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version, url: () => vhost.url });
  const brokers: Broker[] = [];
  const listeners: NotificationListener[] = [];
  afterEach(async () => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
    await Promise.all(brokers.splice(0).map((broker) => broker.close()));
  });

  async function listen(
    registration: NotificationRegistration,
    options: NotificationListenerOptions = {},
  ): Promise<NotificationListener> {
    const broker = await connectBroker(vhost.url);
    brokers.push(broker);
    const listener = new NotificationListener(broker, [registration], options);
    listeners.push(listener);
    await listener.start();
    return listener;
  }

  it('a notification that is requeued is delivered again; ours: a little later', async () => {
    const heard: IncomingNotification[] = [];
    const listener = await listen({
      topics: ['requeued'],
      priorities: 'info',
      allowRequeue: true,
      handler: (notification) =>
        heard.push(notification) === 1 ? NotificationResult.REQUEUE : NotificationResult.HANDLED,
    });
    await notify(python, 'requeued', 'test');
    await eventually(() => listener.counters.acknowledged === 1);
    expect(listener.counters.requeued).toBe(1);
    expect(heard).toHaveLength(2);
    for (const one of heard) {
      expect(one).toMatchObject({
        publisherId: 'testpublisher',
        eventType: 'an_event.start',
        payload: 'test',
        requestContext: { user: 'bob' },
        metadata: { message_id: heard[0]!.messageId, timestamp: heard[0]!.sentAt },
      });
    }
  });

  it('each of two pools gets a copy of all, in their order', async () => {
    const heard: unknown[][] = [[], []];
    for (const [index, pool] of ['pool1', 'pool2'].entries()) {
      await listen({
        topics: ['copied'],
        priorities: 'info',
        pool: `${pool} of copied`,
        handler: ({ payload, requestContext }) => void heard[index]!.push([payload, requestContext['user']]),
      });
    }
    for (const n of [0, 1]) await notify(python, 'copied', `test message${n}`, `bob${n}`);
    const all = [0, 1].map((n) => [`test message${n}`, `bob${n}`]);
    await eventually(() => heard.every(({ length }) => length >= 2));
    expect(heard).toEqual([all, all]);
  });

  it('two listeners of one pool share its notifications, though each is away for a while', async () => {
    const alone: unknown[] = [];
    const shared = new Map<string, unknown[]>([
      ['two', []],
      ['three', []],
    ]);
    const join = (pool: string, heard: unknown[]): Promise<NotificationListener> =>
      listen({ topics: ['shared'], priorities: 'info', pool, handler: ({ payload }) => void heard.push(payload) });
    await join('pool1 of shared', alone);
    const second = (): Promise<NotificationListener> => join('pool2 of shared', shared.get('two')!);
    const third = (): Promise<NotificationListener> => join('pool2 of shared', shared.get('three')!);
    let sent = 0;
    const round = async (): Promise<void> => {
      for (let n = 0; n < 25; n += 1) await notify(python, 'shared', sent++);
      await eventually(() => alone.length === sent && [...shared.values()].flat().length === sent);
    };
    const [two, three] = [await second(), await third()];
    await round();
    await two.close();
    await round();
    await second();
    await three.close();
    await round();
    await third();
    await round();
    const expected = Array.from({ length: 100 }, (_, n) => n);
    expect(alone).toEqual(expected);
    expect([...shared.values()].flat().toSorted((a, b) => Number(a) - Number(b))).toEqual(expected);
    // As each was alone for a round.
    for (const heard of shared.values()) expect(heard.length).toBeGreaterThanOrEqual(25);
  });

  describe('in batches', () => {
    interface Batches {
      sizes: number[];
      payloads: unknown[];
      registration: BatchRegistration;
    }

    function batchesOf(topic: string, timeoutMs: number, act: (batch: number) => void = () => undefined): Batches {
      const [sizes, payloads]: [number[], unknown[]] = [[], []];
      const handler = (notifications: readonly IncomingNotification[]): void => {
        sizes.push(notifications.length);
        payloads.push(...notifications.map(({ payload }) => payload));
        act(sizes.length);
      };
      const registration = { topics: [topic], priorities: 'info' as const, batch: { size: 5, timeoutMs }, handler };
      return { sizes, payloads, registration };
    }

    it('a batch is handed over when it is full, or when its time is over: of 12 come 5, 5 and 2', async () => {
      const { sizes, payloads, registration } = batchesOf('batches', 1000);
      // They wait in the queue, so that their own time is of no account.
      await (await listen(registration)).close();
      for (let n = 0; n < 12; n += 1) await notify(python, 'batches', n);
      const listener = await listen(registration);
      await eventually(() => listener.counters.acknowledged === 12);
      expect(sizes).toEqual([5, 5, 2]);
      expect(payloads).toEqual(Array.from({ length: 12 }, (_, n) => n));
    });

    it('without an end of its time a batch waits until it is full: of 10 come 5 and 5', async () => {
      const { sizes, registration } = batchesOf('full-batches', 2 ** 31 - 1);
      const listener = await listen(registration);
      for (let n = 0; n < 10; n += 1) await notify(python, 'full-batches', 'test message');
      await eventually(() => listener.counters.acknowledged === 10);
      expect(sizes).toEqual([5, 5]);
    });

    it('a batch that fails does not end the listener; with allow_requeue it comes again', async () => {
      const { sizes, payloads, registration } = batchesOf('failed-batches', 2 ** 31 - 1, (batch) => {
        if (batch === 2) throw new Error('boom!');
      });
      const listener = await listen({ ...registration, allowRequeue: true });
      for (let n = 0; n < 10; n += 1) await notify(python, 'failed-batches', n);
      await eventually(() => listener.counters.acknowledged === 10);
      expect(listener.counters.requeued).toBe(5);
      expect(sizes).toEqual([5, 5, 5]);
      expect(payloads).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 6, 7, 8, 9]);
    });
  });
});
