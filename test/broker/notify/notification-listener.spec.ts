import { afterEach, expect, it } from 'vitest';
import {
  NotificationListener,
  type NotificationRegistration,
  NotifierCore,
  type RabbitOptions,
} from '../../../lib/index.js';

import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const listeners: NotificationListener[] = [];
const proxies: AmqpProxy[] = [];
afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

async function listen(registrations: NotificationRegistration[], options: RabbitOptions = {}) {
  const proxy = await AmqpProxy.start(vhost.address);
  proxies.push(proxy);
  const listener = new NotificationListener(brokers.open(vhost.urlVia(proxy), options), registrations, {
    requeueBackoffMs: 1,
    shutdownTimeoutMs: 1000,
  });
  listeners.push(listener);
  await listener.start();
  return { listener, proxy };
}

const ignore = () => undefined;

it('consumes each queue once, bound as its listeners need it', async () => {
  const { proxy } = await listen([
    { priorities: 'info', exchange: 'nova', handler: ignore },
    { priorities: 'info', exchange: 'cinder', handler: ignore },
    { priorities: ['info', 'error'], exchange: 'nova', topics: ['a', 'b'], pool: 'audit', handler: ignore },
  ]);
  const bindings = (await vhost.listBindings()).map((binding) => Object.values(binding).join(' '));
  for (const exchange of ['nova', 'cinder']) {
    expect(bindings.filter((each) => each.includes(exchange) && each.includes('notifications.info'))).toHaveLength(1);
  }
  expect(bindings.filter((each) => each.includes('audit') && each.includes('nova'))).toHaveLength(4);
  expect((await vhost.listQueues()).map(({ name, consumers }) => [name, consumers]).toSorted()).toEqual([
    ['audit', 1],
    ['notifications.info', 1],
  ]);
  expect(proxy.sent('BasicQos').map(({ fields }) => [fields.prefetchCount, fields.global])).toEqual([
    [256, false],
    [256, false],
  ]);
});

it('takes the prefetch that is set, and batches no larger', async () => {
  const sizes: number[] = [];
  const handler = (list: readonly unknown[]) => void sizes.push(list.length);
  const { listener, proxy } = await listen([{ priorities: 'info', batch: { size: 100, timeoutMs: 60_000 }, handler }], {
    rabbitQosPrefetchCount: 5,
  });
  expect(proxy.sent('BasicQos').map(({ fields }) => fields.prefetchCount)).toEqual([5]);
  const notifier = new NotifierCore(brokers.open(vhost.url));
  await Promise.all(Array.from({ length: 10 }, () => notifier.info('a', {})));
  await eventually(() => listener.counters.acknowledged === 10);
  expect(sizes).toEqual([5, 5]);
});

it('a line that is cut while handlers run: nothing is lost, nothing runs twice', async () => {
  const heard: unknown[] = [];
  const releases: (() => void)[] = [];
  const { listener, proxy } = await listen([
    {
      priorities: 'info',
      concurrency: 10,
      handler: ({ payload }) => {
        heard.push(payload);
        return new Promise<void>((resolve) => releases.push(resolve));
      },
    },
  ]);
  const notifier = new NotifierCore(brokers.open(vhost.url));
  await Promise.all(Array.from({ length: 20 }, (_, n) => notifier.info('a', n)));
  await eventually(() => heard.length === 10);
  proxy.drop();
  await eventually(() => listener.counters.redelivered === 20);
  while (listener.counters.acknowledged < 20) {
    for (const release of releases.splice(0)) release();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(heard.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

it('an acknowledgement that never reached the broker: recognised when it comes again', async () => {
  const heard: unknown[] = [];
  const { listener, proxy } = await listen([
    { priorities: 'info', handler: ({ payload }) => void heard.push(payload) },
  ]);
  const struck = proxy.strike({ from: 'client', method: 'BasicAck', fault: 'cut-before' });
  await new NotifierCore(brokers.open(vhost.url)).info('a', 1);
  await struck;
  await eventually(() => listener.counters.duplicates === 1);
  expect(heard).toEqual([1]);
  await eventually(async () => {
    const queue = await vhost.queue('notifications.info');
    return queue?.messagesReady === 0 && queue.messagesUnacknowledged === 0;
  });
});
