import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageDeliveryFailure, PreconditionFailed } from '../../../lib/index.js';
import type { Topology } from '../../../lib/wire/topology.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from './collected-deliveries.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

const vhost = useVhost();
// Registered first, it runs last: a broker that is open would make its queues again.
afterEach(async () => {
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});
const brokers = useBrokers(afterEach);
const topology = topicTopology('tx', 'work');

/** An ack of a tag that the broker does not know is an error of the channel; our own code cannot be made to send one. */
function closeChannelOf(subscription: object): void {
  const { channel } = subscription as { channel: { channel: { ack(deliveryTag: number, multiple: boolean): void } } };
  channel.channel.ack(999, false);
}

describe('the publishing channel', () => {
  it('closed for a missing exchange, only the message that names it fails', async () => {
    const broker = brokers.open(vhost.url);
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'first', topology });
    const good = (body: string) => broker.publish({ exchange: 'tx', routingKey: 'work', body, topology });
    const bad = () => broker.publish({ exchange: 'nowhere', routingKey: 'work', body: '{}' });
    const outcomes = await Promise.allSettled([good('1'), bad(), good('2'), bad(), good('3')]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    const reason = expect.stringContaining("NOT_FOUND - no exchange 'nowhere'");
    for (const index of [1, 3]) {
      expect(outcomes[index]).toMatchObject({ reason: { code: 'OSLO_DELIVERY', message: reason } });
    }
    const received = collect();
    await broker.consume(received.request(topology));
    await eventually(() => received.bodies.includes('3'));
    expect([...new Set(received.bodies)]).toEqual(['first', '1', '2', '3']);
    expect(broker.reports('connection-changed').filter(({ to }) => to === 'disconnected')).toEqual([]);
  });

  it('declares an exchange again that has gone meanwhile, as auto-delete ones do', async () => {
    const broker = brokers.open(vhost.url);
    const fanout: Topology = [
      { kind: 'exchange', name: 'tx_fanout', type: 'fanout', durable: false, autoDelete: true },
    ];
    const listening: Topology = [
      ...fanout,
      { kind: 'queue', name: 'listener', durable: false, autoDelete: false, arguments: {} },
      { kind: 'binding', queue: 'listener', exchange: 'tx_fanout', routingKey: 'tx' },
    ];
    const send = (body: string) =>
      broker.publish({ exchange: 'tx_fanout', routingKey: '', body, topology: fanout, retry: 0 });
    await (await broker.consume(collect().request(listening))).close();
    await send('1');
    await vhost.deleteQueue('listener');
    await eventually(async () => (await vhost.listExchanges()).every(({ name }) => name !== 'tx_fanout'));
    await Promise.all([send('2'), send('3')]);
    expect((await vhost.listExchanges()).map(({ name }) => name)).toContain('tx_fanout');
  });

  it('stays open when a topology is refused; others are not touched', async () => {
    const broker = brokers.open(vhost.url);
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: '1', topology });
    const other: Topology = [{ kind: 'exchange', name: 'tx', type: 'fanout', durable: false, autoDelete: false }];
    const [refused, ...rest] = await Promise.allSettled([
      broker.publish({ exchange: 'tx', routingKey: 'work', body: '2', topology: other }),
      broker.publish({ exchange: 'tx', routingKey: 'work', body: '3', topology }),
      broker.publish({ exchange: 'tx', routingKey: 'work', body: '4', topology }),
    ]);
    expect(refused).toMatchObject({ status: 'rejected', reason: expect.any(PreconditionFailed) });
    expect(refused).toMatchObject({
      reason: { resource: 'tx', message: expect.stringContaining("inequivalent arg 'type'") },
    });
    expect(rest.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(broker.reports('message-republished')).toEqual([]);
  });

  it('refuses what AMQP cannot carry, and goes on', async () => {
    const broker = brokers.open(vhost.url);
    await broker.connected();
    const tooLong = broker.publish({ exchange: '', routingKey: 'k'.repeat(256), body: '1' });
    await expect(tooLong).rejects.toBeInstanceOf(MessageDeliveryFailure);
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: '2', topology });
  });
});

describe('a consuming channel', () => {
  let proxy: AmqpProxy;
  beforeEach(async () => {
    proxy = await AmqpProxy.start(vhost.address);
  });
  afterEach(() => proxy.close());

  it('closed by the broker is made anew on the same connection', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'held', topology });
    const held = await received.next();
    closeChannelOf(subscription);
    await eventually(() => received.interruptions === 1);
    expect(held.ack()).toBe(false);
    const again = await received.next();
    expect([Buffer.from(again.body).toString(), again.redelivered]).toEqual(['held', true]);
    expect(again.ack()).toBe(true);
    expect(proxy.accepted).toBe(2);
    expect((await vhost.listConsumers()).map(({ queue, consumerTag }) => [queue, consumerTag])).toEqual([
      ['work', '1'],
    ]);
    expect(broker.reports('consumers-lost')).toMatchObject([
      { queues: ['work'], message: expect.stringContaining('unknown delivery tag') },
    ]);
    expect(broker.reports('consumers-restored')).toMatchObject([{ queues: ['work'] }]);
  });

  it('loses one queue: that one is declared and consumed again, the others keep flowing', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    const subscription = await broker.consume(received.request([...topology, ...topicTopology('tx', 'second')]));
    await broker.publish({ exchange: 'tx', routingKey: 'second', body: 'held' });
    const held = await received.next();
    await vhost.deleteQueue('work');
    await eventually(() => broker.reports('consumers-restored').length === 1);
    expect(broker.reports('consumers-lost')).toMatchObject([{ queues: ['work'] }]);
    expect(received.interruptions).toBe(0);
    expect(held.ack()).toBe(true);
    expect(subscription.consuming).toBe(true);
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'again', mandatory: true });
    expect(Buffer.from((await received.next()).body).toString()).toBe('again');
    const tags = (await vhost.listConsumers()).map(({ queue, consumerTag }) => [queue, consumerTag]);
    expect(tags.sort()).toEqual([
      ['second', '2'],
      ['work', '1'],
    ]);
    // The consumers' and the spare one, still the first of each.
    const consuming = proxy.sent('BasicConsume')[0]?.connection;
    expect(proxy.sent('ChannelOpen').filter(({ connection }) => connection === consuming)).toHaveLength(2);
  });

  it('goes on trying where the queue cannot be declared, and says so once', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    const stranger = brokers.open(vhost.url);
    await stranger.connected();
    const struck = proxy.strike({ from: 'broker', method: 'BasicCancel', fault: 'stall' });
    await vhost.deleteQueue('work');
    await struck;
    const otherwise = topology.map((one) => (one.kind === 'queue' ? { ...one, autoDelete: true } : one));
    await stranger.publish({ exchange: 'tx', routingKey: 'nobody', body: '1', topology: otherwise });
    proxy.resume();
    const refusals = () => proxy.received('ChannelClose').filter(({ fields }) => fields.replyCode === 406);
    await eventually(() => refusals().length >= 3);
    expect(subscription.consuming).toBe(false);
    const refused = broker.reports('consumers-lost').filter((event) => event.message.includes('other properties'));
    expect(refused).toHaveLength(1);
    await vhost.deleteQueue('work');
    await eventually(() => subscription.consuming);
    expect(broker.reports('consumers-restored')).toMatchObject([{ queues: ['work'] }]);
  });
});

describe('the first consume', () => {
  it('is refused where the queue exists otherwise, and nothing stays behind', async () => {
    const broker = brokers.open(vhost.url);
    const otherwise = topology.map((one) => (one.kind === 'queue' ? { ...one, autoDelete: true } : one));
    await broker.publish({ exchange: 'tx', routingKey: 'x', body: '1', topology: otherwise });
    const refused = broker.consume(collect().request(topology));
    await expect(refused).rejects.toBeInstanceOf(PreconditionFailed);
    await expect(refused).rejects.toMatchObject({ resource: 'work' });
    expect(await vhost.listConsumers()).toEqual([]);
    const received = collect();
    await broker.consume(received.request(otherwise));
    expect(await vhost.listConsumers()).toHaveLength(1);
  });

  it('waits through anything that passes', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    await proxy.refuse();
    const broker = brokers.open(vhost.urlVia(proxy));
    const consumed = broker.consume(collect().request(topology));
    await eventually(() => broker.reports('connection-changed').filter(({ to }) => to === 'disconnected').length > 2);
    await proxy.accept();
    expect((await consumed).consuming).toBe(true);
    await broker.close();
    await proxy.close();
  });
});
