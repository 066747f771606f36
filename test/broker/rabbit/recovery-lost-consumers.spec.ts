import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from './collected-deliveries.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';
import { useWorkProxy } from './work-proxy.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const topology = topicTopology('tx', 'work');

const proxy = useWorkProxy({ beforeEach, afterEach }, vhost);

function sorted<T extends { queue: string }>(items: readonly T[]): T[] {
  return items.toSorted((one, other) => one.queue.localeCompare(other.queue));
}

/** Bodies in the order of their first appearance. */
function distinct(bodies: readonly string[]): string[] {
  return [...new Set(bodies)];
}

describe('a lost connection, consumers', () => {
  it('are made again under the same names and tags, with the same bindings and prefetch', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const both = [...topology, ...topicTopology('tx', 'second')];
    const received = collect();
    const subscription = await broker.consume(received.request(both, { prefetch: 7 }));
    const before = { consumers: await vhost.listConsumers(), bindings: await vhost.listBindings() };
    expect(
      before.consumers.map(({ queue, consumerTag, prefetchCount }) => [queue, consumerTag, prefetchCount]).sort(),
    ).toEqual([
      ['second', '2', 7],
      ['work', '1', 7],
    ]);
    proxy.drop();
    await eventually(() => received.interruptions === 1);
    await eventually(() => subscription.consuming);
    await eventually(async () => {
      expect(sorted(await vhost.listConsumers())).toEqual(sorted(before.consumers));
      return true;
    });
    expect(sorted(await vhost.listBindings())).toEqual(sorted(before.bindings));
    await broker.publish({ exchange: 'tx', routingKey: 'second', body: 'after' });
    expect(Buffer.from((await received.next()).body).toString()).toBe('after');
    await vhost.deleteQueue('second');
  });

  // What the broker says of an end comes with its answer to what opens something: nobody listens yet.
  it.each([
    ['ConnectionOpenOk', 1],
    ['ConnectionOpenOk', 2],
    ['ChannelOpenOk', 1],
    ['ChannelOpenOk', 2],
    ['ChannelOpenOk', 3],
    ['ConfirmSelectOk', 1],
  ])('are made again where the next connection ends in the same breath as %s (%i)', async (method, nth) => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: '1', topology });
    let seen = 0;
    const struck = proxy.strike({ from: 'broker', method, fault: 'stall', when: () => ++seen === nth });
    await vhost.closeAllConnections();
    await struck;
    await vhost.closeAllConnections();
    await eventually(() => proxy.received('ConnectionClose').length > 2);
    proxy.resume();
    // Sooner than silence is noticed, and than the broker is looked at by itself.
    await eventually(async () => subscription.consuming && (await vhost.listConsumers()).length === 1, '', 3_000);
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: '2' });
    await eventually(() => distinct(received.bodies).length === 2);
  });

  it('get what they had not acknowledged once more; their late verdicts are harmless', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    await broker.consume(received.request(topology));
    for (const body of ['a', 'b', 'c']) await broker.publish({ exchange: 'tx', routingKey: 'work', body, topology });
    const [first, second, third] = [await received.next(), await received.next(), await received.next()];
    expect(first.ack()).toBe(true);
    await eventually(async () => (await vhost.queue('work'))?.messagesUnacknowledged === 2);
    proxy.drop();
    await eventually(() => received.interruptions === 1);
    expect([second.ack(), second.ack(), third.reject(true)]).toEqual([false, false, false]);
    expect(broker.reports('ack-lost').map(({ queue }) => queue)).toEqual(['work', 'work']);
    const again = [await received.next(), await received.next()];
    expect(received.bodies).toEqual(['a', 'b', 'c', 'b', 'c']);
    expect(again.map(({ redelivered }) => redelivered)).toEqual([true, true]);
    // Tags start anew with the channel: an old verdict must not fall on a new delivery.
    first.ack();
    second.ack();
    for (const delivery of again) expect(delivery.ack()).toBe(true);
    await eventually(async () => (await vhost.queue('work'))?.messagesUnacknowledged === 0);
  });

  it.each(['ExchangeDeclare', 'QueueBind', 'BasicConsume'])('come up when the line dies at %s', async (method) => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const struck = proxy.strike({ from: 'client', method, fault: 'cut-after' });
    const received = collect();
    const consumed = broker.consume(received.request(topology));
    await struck;
    expect((await consumed).consuming).toBe(true);
    expect(await vhost.listConsumers()).toHaveLength(1);
  });

  it('that were cancelled stay away', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const [kept, gone] = [collect(), collect()];
    const keptOn = await broker.consume(kept.request(topology));
    const cancelled = await broker.consume(gone.request(topicTopology('tx', 'second')));
    await cancelled.cancel();
    proxy.drop();
    await eventually(() => kept.interruptions === 1 && keptOn.consuming);
    expect((await vhost.listConsumers()).map(({ queue }) => queue)).toEqual(['work']);
    expect(cancelled.consuming).toBe(false);
    await vhost.deleteQueue('second');
  });

  it('can be cancelled and closed while the line is down', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const subscription = await broker.consume(collect().request(topology));
    await proxy.refuse();
    proxy.drop();
    await eventually(() => !subscription.consuming);
    await subscription.cancel();
    await Promise.all([subscription.close(), subscription.close()]);
    await proxy.accept();
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: '1', topology });
    expect(await vhost.listConsumers()).toEqual([]);
  });

  it('survive many losses in a row', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    await broker.consume(received.request(topology));
    for (let round = 1; round <= 8; round++) {
      proxy.drop();
      await broker.publish({ exchange: 'tx', routingKey: 'work', body: String(round), topology });
    }
    await eventually(() => distinct(received.bodies).length === 8);
    await eventually(async () => (await vhost.listConnections()).length === 2);
    expect(await vhost.listConsumers()).toHaveLength(1);
  });
});

it('a connection closed by the broker comes back, the reason is told', async () => {
  const broker = brokers.open(vhost.url);
  const subscription = await broker.consume(collect().request(topology));
  expect(await vhost.closeAllConnections()).toBe(2);
  await eventually(() => broker.reports('connection-changed').filter(({ to }) => to === 'connected').length === 4);
  await eventually(() => subscription.consuming);
  const lost = broker.reports('connection-changed').filter(({ to }) => to === 'disconnected');
  expect(lost.map(({ connection }) => connection).sort()).toEqual(['consume', 'publish']);
  for (const { message } of lost) expect(message).toContain('CONNECTION_FORCED - closed by a test');
  expect(broker.state).toBe('connected');
});

it('a consumer that the broker waits for in vain is made anew, and gets what was lost on the way', async () => {
  const proxy = await AmqpProxy.start(vhost.address);
  const broker = brokers.open(vhost.urlVia(proxy), { consumerCheckIntervalMs: 100 });
  const received = collect();
  const subscription = await broker.consume(received.request(topology, { prefetch: 1 }));
  const swallowed = proxy.strike({ from: 'broker', method: 'BasicDeliver', fault: 'swallow' });
  for (const body of ['1', '2', '3']) await broker.publish({ exchange: 'tx', routingKey: 'work', body, topology });
  await swallowed;
  await eventually(async () => {
    for (const delivery of received.all) delivery.ack();
    return distinct(received.bodies).length === 3;
  });
  expect(received.bodies).toEqual(['1', '2', '3']);
  expect(received.all.map(({ redelivered }) => redelivered)).toEqual([true, false, false]);
  expect(broker.reports('consumers-lost')).toMatchObject([{ queues: ['work'] }]);
  await eventually(() => broker.reports('consumers-restored').length === 1 && subscription.consuming);
  expect(await vhost.listConsumers()).toHaveLength(1);
  await broker.close();
  await proxy.close();
});

// Where RabbitMQ moves a consumer to the new queue by itself, it may lose what it delivers from then on.
it('a queue that is deleted and there again at once is consumed', async () => {
  const broker = brokers.open(vhost.url, { consumerCheckIntervalMs: 200 });
  const received = collect();
  await broker.consume(received.request(topology, { prefetch: 1 }));
  await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'before', topology });
  for (let round = 1; round <= 5; round += 1) {
    // As when a sibling is quicker: the queue is back before our channel hears that it has gone.
    await vhost.admin.evaluate(`begin
      Work = rabbit_misc:r(<<"${vhost.name}">>, queue, <<"work">>),
      {ok, Q} = rabbit_amqqueue:lookup(Work),
      {ok, _} = rabbit_amqqueue:delete(Q, false, false, <<"test">>),
      {_, _} = rabbit_amqqueue:declare(Work, false, false, [], none, <<"test">>),
      true end`);
    const consumed = async (): Promise<boolean> => {
      for (const delivery of received.all) delivery.ack();
      await broker.publish({ exchange: '', routingKey: 'work', body: String(round) });
      return received.bodies.includes(String(round));
    };
    await eventually(consumed, `a delivery in round ${round}`);
  }
  const reasons = broker.reports('consumers-lost').map(({ message }) => message);
  for (const reason of reasons) expect(reason).not.toContain('does not know our consumers');
});
