import { afterEach, describe, expect, it } from 'vitest';
import {
  connectBroker,
  type IncomingNotification,
  NOTIFICATION_PRIORITIES,
  NotificationFilter,
  NotificationListener,
  type NotificationRegistration,
  NotificationResult,
} from '../../lib/index.js';
import type { Broker } from '../../lib/index.js';

import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';

describe.each(pythonVersions)('our listener, oslo.messaging %s notifies', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const peer = usePythonPeer({ version, url: () => vhost.url });
  const brokers: Broker[] = [];
  const listeners: NotificationListener[] = [];
  afterEach(async () => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
    await Promise.all(brokers.splice(0).map((broker) => broker.close()));
  });

  const listen = async (...registrations: NotificationRegistration[]) => {
    const broker = await connectBroker(vhost.url);
    brokers.push(broker);
    const listener = new NotificationListener(broker, registrations);
    listeners.push(listener);
    await listener.start();
    return listener;
  };
  const acknowledged = (listener: NotificationListener, count: number) =>
    eventually(() => listener.counters.acknowledged === count, `${count} acknowledged`);

  it.each([['messaging'], ['messagingv2']])('hears %s, all priorities', async (driver) => {
    const heard: IncomingNotification[] = [];
    const listener = await listen({
      topics: [driver],
      priorities: NOTIFICATION_PRIORITIES,
      handler: (notification) => void heard.push(notification),
    });
    const payload = { text: 'ž\u{1f40e}', nested: [{ n: 1 }], none: null, big: 2n ** 60n, inf: Infinity };
    for (const priority of NOTIFICATION_PRIORITIES) {
      await peer.notify({
        priority,
        event_type: `compute.${priority}`,
        payload,
        driver,
        topics: [driver],
        context: { user: 'u1', auth_token: 'secret' },
      });
    }
    await acknowledged(listener, NOTIFICATION_PRIORITIES.length);
    expect(heard.map(({ priority }) => priority).toSorted()).toEqual([...NOTIFICATION_PRIORITIES].toSorted());
    for (const one of heard) {
      expect(one).toMatchObject({
        publisherId: 'python.host1',
        eventType: `compute.${one.priority}`,
        payload,
        requestContext: { user: 'u1' },
      });
      expect(one.requestContext.auth_token ?? null).toBeNull();
      expect(Math.abs(Date.now() - one.timestamp!.getTime())).toBeLessThan(60_000);
      expect(one.sentAt).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?$/);
    }
  });

  it('hears it in a pool, by filter, in batches', async () => {
    const common: unknown[] = [];
    const pooled: unknown[] = [];
    const batches: unknown[][] = [];
    const topics = ['mixed'];
    const listener = await listen(
      {
        topics,
        priorities: 'info',
        filter: NotificationFilter.fromOslo({ event_type: 'compute\\.' }),
        handler: ({ payload }) => void common.push(payload),
      },
      { topics, priorities: 'info', pool: 'mixed-audit', handler: ({ payload }) => void pooled.push(payload) },
      {
        topics,
        priorities: 'info',
        pool: 'mixed-batches',
        batch: { size: 2, timeoutMs: 200 },
        handler: (list: readonly IncomingNotification[]) => void batches.push(list.map(({ payload }) => payload)),
      },
    );
    for (const [n, service] of ['compute', 'volume', 'compute'].entries()) {
      await peer.notify({ priority: 'info', event_type: `${service}.a`, payload: n, topics });
    }
    await eventually(() => listener.counters.acknowledged === 8 && listener.counters.unmatched === 1);
    expect([common, pooled, batches.flat()]).toEqual([
      [0, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(2);
  });

  it('puts back what failed; Python hears it then', async () => {
    const topics = ['shared'];
    const listener = await listen({
      topics,
      priorities: 'error',
      allowRequeue: true,
      handler: () => NotificationResult.REQUEUE,
    });
    await peer.notify({ priority: 'error', event_type: 'a', payload: 7, topics });
    await eventually(() => listener.counters.requeued >= 1);
    await listener.close();
    await peer.listen({ name: 'heir', targets: [{ exchange: 'openstack', topic: 'shared' }], priorities: ['error'] });
    expect(await peer.waitFor('notification', (each) => each.listener === 'heir')).toMatchObject({ payload: 7 });
  });

  it('shares the common queue with Python: each message goes to one of them', async () => {
    const topics = ['common'];
    const ours: unknown[] = [];
    await peer.listen({ name: 'sibling', targets: [{ exchange: 'openstack', topic: 'common' }] });
    await listen({ topics, priorities: 'info', handler: ({ payload }) => void ours.push(payload) });
    for (let n = 0; n < 10; n++) await peer.notify({ priority: 'info', event_type: 'a', payload: n, topics });
    const all = await eventually(() => {
      const theirs = peer.events.flatMap((event) =>
        event.event === 'notification' && event.listener === 'sibling' ? [event.payload] : [],
      );
      return ours.length + theirs.length === 10 && [...ours, ...theirs];
    });
    expect(new Set(all).size).toBe(10);
    expect(ours.length).toBeGreaterThan(0);
  });
});
