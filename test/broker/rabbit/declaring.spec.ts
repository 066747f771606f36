import { afterEach, expect, it } from 'vitest';
import { RpcClient, RpcServer } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from './collected-deliveries.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

// Of calls that were lost with their virtual host an answer may come yet: their queue is left to expire.
const vhost = useVhost({ mayLeave: /^reply_/ });
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor' };
const methods = { echo: (args: object): object => args };

it.each([
  [false, true],
  [true, false],
])('what is durable (%j) and was to be so or not (%j) is reported, once of each', async (theirs, ours) => {
  const [bus, work] = [`tx.${theirs}`, `work.${theirs}`];
  const peer = brokers.open(vhost.url);
  await peer.publish({ exchange: bus, routingKey: work, body: '1', topology: topicTopology(bus, work, theirs) });
  const broker = brokers.open(vhost.url);
  const received = collect();
  const subscription = await broker.consume(received.request(topicTopology(bus, work, ours)));
  expect(Buffer.from((await received.next()).body).toString()).toBe('1');
  await broker.publish({ exchange: bus, routingKey: work, body: '2', topology: topicTopology(bus, work, ours) });
  expect(Buffer.from((await received.next()).body).toString()).toBe('2');
  expect(broker.reports('durability-mismatch')).toMatchObject([
    {
      kind: 'exchange',
      name: bus,
      level: 'warn',
      message: expect.stringMatching(
        new RegExp(`'durable' for exchange '${bus}' .*received '${ours}' but current is '${theirs}'`),
      ),
    },
    { kind: 'queue', name: work, level: 'warn' },
    { kind: 'exchange', name: bus, level: 'warn' },
    { kind: 'queue', name: work, level: 'warn' },
  ]);
  expect(peer.reports('durability-mismatch')).toEqual([]);
  await subscription.close();
  await vhost.deleteQueue(work);
});

it('a name that cannot be written costs no channel', async () => {
  const proxy = await AmqpProxy.start(vhost.address);
  const broker = brokers.open(vhost.urlVia(proxy));
  await broker.connected();
  for (let n = 0; n < 3; n += 1)
    await expect(broker.inspectQueue('x'.repeat(256))).rejects.toThrow(/Could not inspect/);
  await eventually(() => proxy.received('ChannelCloseOk').length === 3);
  expect(await broker.inspectQueue('missing')).toBeUndefined();
  await broker.close();
  await proxy.close();
});

it('a server that is closed while it declares leaves nothing behind', async () => {
  const proxy = await AmqpProxy.start(vhost.address);
  const broker = brokers.open(vhost.urlVia(proxy));
  await broker.connected();
  const server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods }]);
  const struck = proxy.strike({ from: 'client', method: 'QueueDeclare', fault: 'stall' });
  const started = server.start();
  started.catch(() => undefined);
  await struck;
  const closed = server.close();
  proxy.resume();
  await closed;
  await expect(started).rejects.toMatchObject({ code: 'OSLO_CLOSED' });
  await broker.close();
  expect((await vhost.listQueues()).filter(({ name }) => name.includes('fanout'))).toEqual([]);
  await proxy.close();
});

it('a virtual host that is deleted and made again is served again', async () => {
  const serving = brokers.open(vhost.url);
  const server = new RpcServer(serving, { ...target, server: 'host1' }, [{ methods }]);
  await server.start();
  const client = new RpcClient(brokers.open(vhost.url), target, { timeout: 5 });
  for (let round = 0; round < 3; round += 1) {
    expect(await client.call('echo', { round })).toEqual({ round });
    await vhost.admin.deleteVhost(vhost.name);
    await vhost.admin.addVhost(vhost.name, vhost.address.user);
    await eventually(() => client.call('echo', { round }).then(() => true), 'an answer', 30_000);
  }
  // The first of its queues to be back answers; the others follow.
  await eventually(() => server.health.connected && server.health.consuming, 'all queues consumed', 30_000);
  await client.close();
  await server.close();
}, 120_000);
