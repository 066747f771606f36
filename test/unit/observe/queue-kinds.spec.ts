import { expect, it } from 'vitest';
import { queueKinds } from '../../../lib/observe/bus/queue-kinds.js';

const bound = (exchange: string, queue: string, routingKey = queue) => ({ exchange, queue, routingKey });

it.each([
  ['reply_0f', { kind: 'reply' }],
  ['reply_host1:nova-compute:1', { kind: 'reply' }],
  ['conductor_fanout_0f', { kind: 'fanout', topic: 'conductor' }],
  ['conductor_fanout', { kind: 'fanout', topic: 'conductor' }],
  ['notifications.info', { kind: 'notification', topic: 'notifications' }],
  ['versioned_notifications.error', { kind: 'notification', topic: 'versioned_notifications' }],
  ['oslo-bus.tap.host.1.0f', { kind: 'tap' }],
  ['orders', { kind: 'other' }],
  ['', { kind: 'other' }],
  ['.', { kind: 'other' }],
])("'%s' is known by its name", (name, kind) => {
  expect(queueKinds([name]).get(name)).toEqual(kind);
});

it('a server is known by its topic, also where names have dots', () => {
  const names = ['compute', 'compute.cmp1.example.org', 'ironic.conductor_manager', 'ironic.conductor_manager.h1'];
  expect([...queueKinds(names).values()]).toEqual([
    { kind: 'topic', topic: 'compute' },
    { kind: 'server', topic: 'compute', server: 'cmp1.example.org' },
    { kind: 'topic', topic: 'ironic.conductor_manager' },
    { kind: 'server', topic: 'ironic.conductor_manager', server: 'h1' },
  ]);
});

it('a server of cinder-volume has servers itself', () => {
  const names = [
    ...['cinder-volume', 'cinder-volume.ctl1@fake', 'cinder-volume.ctl1@fake.ctl1'],
    ...['cinder-volume_fanout_0f', 'cinder-volume.ctl1@fake_fanout_1e'],
  ];
  expect(Object.fromEntries(queueKinds(names))).toMatchObject({
    'cinder-volume': { kind: 'topic' },
    'cinder-volume.ctl1@fake': { kind: 'server', topic: 'cinder-volume', server: 'ctl1@fake' },
    'cinder-volume.ctl1@fake.ctl1': { kind: 'server', topic: 'cinder-volume.ctl1@fake', server: 'ctl1' },
  });
});

it('a topic is known by its fanout exchange, or by its binding; a pool by its key', () => {
  const kinds = queueKinds(
    ['engine', 'scheduler', 'pool1', 'orders'],
    ['engine_fanout'],
    [bound('nova', 'scheduler'), bound('nova', 'pool1', 'notifications.info'), bound('shop', 'orders', '#')],
  );
  expect(Object.fromEntries(kinds)).toEqual({
    engine: { kind: 'topic', topic: 'engine' },
    scheduler: { kind: 'topic', topic: 'scheduler' },
    pool1: { kind: 'notification', topic: 'notifications', pool: 'pool1' },
    orders: { kind: 'other' },
  });
});
