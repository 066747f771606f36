import { afterEach, describe, expect, it } from 'vitest';
import { connectBroker, NOTIFICATION_PRIORITIES, NotifierCore, type NotifierOptions } from '../../lib/index.js';
import type { Broker } from '../../lib/index.js';

import { parseTimestamp } from '../../lib/wire/notification-timestamp.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { type PythonNotified, pythonVersions, usePythonPeer } from './support/python-peer.js';

describe.each(pythonVersions)('our notifier, oslo.messaging %s listens', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const peer = usePythonPeer({ version, url: () => vhost.url });
  const brokers: Broker[] = [];
  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.close()));
  });

  const notifierOf = async (options: NotifierOptions) => {
    const broker = await connectBroker(vhost.url);
    brokers.push(broker);
    return new NotifierCore(broker, { publisherId: 'nest.host1', exchange: 'nova', ...options });
  };
  const targets = (topic: string) => [{ exchange: 'nova', topic }];
  const toldTo = (listener: string) =>
    peer.events.filter(
      (event): event is PythonNotified => event.event === 'notification' && event.listener === listener,
    );

  it.each([['messaging'], ['messagingv2']] as const)('hears %s, all priorities', async (driver) => {
    await peer.listen({ name: driver, targets: targets(driver), priorities: [...NOTIFICATION_PRIORITIES] });
    const notifier = await notifierOf({ driver, topics: [driver] });
    const payload = { text: 'ž\u{1f40e}', nested: [{ n: 1 }], none: null, big: 2n ** 60n };
    for (const priority of NOTIFICATION_PRIORITIES) {
      await notifier.notify(priority, `compute.${priority}`, payload, {
        context: { user: 'u1', request_id: 'req-9', auth_token: 'secret', roles: ['admin'] },
      });
    }
    const told = await eventually(() => {
      const all = toldTo(driver);
      return all.length === NOTIFICATION_PRIORITIES.length && all;
    });
    expect(told.map(({ priority }) => priority).toSorted()).toEqual([...NOTIFICATION_PRIORITIES].toSorted());
    for (const { priority, ...one } of told) {
      expect(one).toMatchObject({
        publisherId: 'nest.host1',
        eventType: `compute.${priority}`,
        payload,
        context: { user: 'u1', request_id: 'req-9', auth_token: null, roles: ['admin'] },
      });
      expect(one.metadata.message_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(parseTimestamp(one.metadata.timestamp)).toBeInstanceOf(Date);
    }
  });

  it('hears what was sent before it came', async () => {
    const notifier = await notifierOf({ topics: ['early'] });
    await notifier.info('early.bird', {});
    await peer.listen({ name: 'late', targets: targets('early') });
    expect(await peer.waitFor('notification', ({ listener }) => listener === 'late')).toMatchObject({
      eventType: 'early.bird',
    });
  });

  it('hears it in a pool and beside it', async () => {
    await peer.listen({ name: 'common', targets: targets('pooled') });
    await peer.listen({ name: 'pooled', targets: targets('pooled'), pool: 'audit' });
    const notifier = await notifierOf({ topics: ['pooled'] });
    await notifier.info('a', {});
    for (const name of ['common', 'pooled']) {
      expect(await peer.waitFor('notification', ({ listener }) => listener === name)).toMatchObject({ eventType: 'a' });
    }
  });

  it('hears it by filter', async () => {
    await peer.listen({
      name: 'filtered',
      targets: targets('filtered'),
      rule: { event_type: '^compute\\.', payload: { state: 'act' }, context: { user: '^u1$' } },
    });
    const notifier = await notifierOf({ topics: ['filtered'] });
    const context = { user: 'u1' };
    await notifier.info('volume.a', { state: 'active' }, { context });
    await notifier.info('compute.b', { state: 'error' }, { context });
    await notifier.info('compute.c', { state: 'active' }, { context: { user: 'u2' } });
    await notifier.info('compute.d', { state: 'active' }, { context });
    await peer.waitFor(
      'notification',
      ({ listener, eventType }) => listener === 'filtered' && eventType === 'compute.d',
    );
    expect(toldTo('filtered').map(({ eventType }) => eventType)).toEqual(['compute.d']);
  });

  it('may put it back', async () => {
    await peer.listen({
      name: 'requeueing',
      targets: targets('requeued'),
      allow_requeue: true,
      answers: ['requeue', 'raise'],
    });
    const notifier = await notifierOf({ topics: ['requeued'] });
    await notifier.info('a', { id: 7 });
    const told = await eventually(() => {
      const all = toldTo('requeueing');
      return all.length === 3 && all;
    });
    expect(new Set(told.map(({ metadata }) => metadata.message_id)).size).toBe(1);
    // Python acknowledges by a thread that looks every few seconds.
    await eventually(async () => {
      const queue = await vhost.queue('requeued.info');
      return queue?.messagesReady === 0 && queue.messagesUnacknowledged === 0;
    });
  });

  it('hears batches', async () => {
    await peer.listen({ name: 'batched', targets: targets('batched'), batch_size: 5, batch_timeout: 1 });
    const notifier = await notifierOf({ topics: ['batched'] });
    await Promise.all(Array.from({ length: 12 }, (_, n) => notifier.info('a', { n })));
    const heard = await eventually(() => {
      const all = peer.events.flatMap((event) => (event.event === 'batch' ? event.notifications : []));
      return all.length === 12 && all;
    });
    expect(heard.map(({ payload }) => (payload as { n: number }).n).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, n) => n),
    );
  });
});
