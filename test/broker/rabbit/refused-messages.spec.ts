import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Topology } from '../../../lib/wire/topology.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { rabbitUrl } from '../../support/rabbit-url.js';
import { collect } from './collected-deliveries.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
let proxies: AmqpProxy[] = [];

afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  proxies = [];
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

async function proxied() {
  const proxy = await AmqpProxy.start(vhost.address);
  proxies.push(proxy);
  return { proxy, broker: brokers.open(vhost.urlVia(proxy)) };
}

/** Settled as soon as it is, for asking without waiting. */
function watch(promise: Promise<void>): { outcome: unknown } {
  const watched: { outcome: unknown } = { outcome: 'pending' };
  promise.then(
    () => (watched.outcome = 'confirmed'),
    (error: unknown) => (watched.outcome = error),
  );
  return watched;
}

describe('a message that the broker does not take charge of (nack)', () => {
  // RabbitMQ nacks what such a queue has no room for.
  const full: Topology = [
    {
      kind: 'queue',
      name: 'full',
      durable: false,
      autoDelete: false,
      arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    },
  ];
  const toFull = (body: string) => ({ exchange: '', routingKey: 'full', body, topology: full });

  async function fill(broker: Awaited<ReturnType<typeof proxied>>['broker'], proxy: AmqpProxy) {
    let sent = 0;
    // How many it takes before it refuses is the broker's business.
    const nacked = (): boolean => proxy.received('BasicNack').length > 0;
    await eventually(async () => {
      await broker.publish({ ...toFull(`filler ${sent++}`), retry: 0 }).catch(() => undefined);
      return nacked();
    });
  }

  it('is published again on another channel, until it is taken', async () => {
    const { broker, proxy } = await proxied();
    await fill(broker, proxy);
    const last = watch(broker.publish(toFull('patient')));
    const seen = () => proxy.sent('BasicPublish').filter(({ body }) => body?.toString() === 'patient');
    await eventually(() => new Set(seen().map(({ channel }) => channel)).size > 1);
    expect(last.outcome).toBe('pending');
    const received = collect();
    await broker.consume(received.request(full));
    await eventually(() => received.all.map((delivery) => delivery.ack()).length > 0 && last.outcome === 'confirmed');
    await eventually(() => received.bodies.filter((body) => body === 'patient').length === 1);
  });

  it('does not hold up what other queues take', async () => {
    const { broker, proxy } = await proxied();
    await fill(broker, proxy);
    const topology = topicTopology('tx', 'free');
    const refused = watch(broker.publish(toFull('refused')));
    for (let n = 0; n < 20; n += 1) {
      await broker.publish({ exchange: 'tx', routingKey: 'free', body: String(n), topology });
    }
    expect(refused.outcome).toBe('pending');
    expect(await vhost.queue('free')).toMatchObject({ messagesReady: 20 });
  });

  it('fails when its tries are used up, and when its time is over', async () => {
    const { broker, proxy } = await proxied();
    await fill(broker, proxy);
    await expect(broker.publish({ ...toFull('once'), retry: 0 })).rejects.toMatchObject({
      code: 'OSLO_DELIVERY',
      attempts: 1,
    });
    await expect(broker.publish({ ...toFull('thrice'), retry: 2 })).rejects.toMatchObject({ attempts: 3 });
    await expect(broker.publish({ ...toFull('late'), giveUpMs: 300 })).rejects.toMatchObject({ code: 'OSLO_TIMEOUT' });
  });

  it('rejects when its broker is closed', async () => {
    const { broker, proxy } = await proxied();
    await fill(broker, proxy);
    const refused = watch(broker.publish(toFull('refused')));
    await eventually(() => proxy.received('BasicNack').length > 1);
    await broker.close();
    await eventually(() => refused.outcome !== 'pending');
    expect(refused.outcome).toMatchObject({ code: 'OSLO_CLOSED' });
  });
});

describe('a message whose queue comes back in a moment', () => {
  const topology = topicTopology('tx', 'work');
  const exchangeOnly = topology.slice(0, 1);
  const request = (body: string) => ({
    exchange: 'tx',
    routingKey: 'work',
    body,
    topology: exchangeOnly,
    awaitQueue: true,
  });

  it('is kept until then; one at a time asks for the others', async () => {
    const { broker, proxy } = await proxied();
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    await broker.publish(request('before'));
    await subscription.close();
    await broker.deleteQueue('work');
    proxy.clear();
    const sent = Array.from({ length: 50 }, (_, n) => watch(broker.publish(request(String(n)))));
    await eventually(() => proxy.received('BasicReturn').length > 52);
    expect(sent.filter(({ outcome }) => outcome !== 'pending')).toEqual([]);
    expect(proxy.sent('BasicPublish').length).toBeLessThan(100);
    await broker.consume(received.request(topology));
    await eventually(() => sent.every(({ outcome }) => outcome === 'confirmed'));
    await eventually(() => received.all.length === 51);
    expect(new Set(received.bodies).size).toBe(51);
  });

  it('is dropped at once where no queue has been seen, as by Python', async () => {
    const { broker, proxy } = await proxied();
    await broker.publish({ ...request('nobody'), routingKey: 'never' });
    expect(proxy.received('BasicReturn')).toHaveLength(1);
  });

  it('is there again when the consumer is, after its queue was deleted under it', async () => {
    const { broker } = await proxied();
    const received = collect();
    await broker.consume(received.request(topology));
    await broker.publish(request('before'));
    await vhost.deleteQueue('work');
    await broker.publish(request('after'));
    await eventually(() => received.bodies.includes('after'));
  });

  it('fails at once where its sender wants to be told, at its deadline, and without one after a while', async () => {
    const { broker } = await proxied();
    const subscription = await broker.consume(collect().request(topology));
    await broker.publish(request('before'));
    await subscription.close();
    await broker.deleteQueue('work');
    await expect(broker.publish({ ...request('told'), mandatory: true })).rejects.toMatchObject({
      code: 'OSLO_NO_ROUTE',
    });
    await expect(broker.publish({ ...request('timed'), expirationMs: 400 })).rejects.toMatchObject({
      code: 'OSLO_TIMEOUT',
    });
    await expect(broker.publish(request('given up after a while'))).rejects.toMatchObject({ code: 'OSLO_NO_ROUTE' });
  });
});

describe('what the user may not do', () => {
  const user = 'limited';
  beforeEach(() => vhost.admin.addUser(user, 'secret'));
  afterEach(() => vhost.admin.deleteUser(user));

  async function limited() {
    await vhost.admin.setPermissions(vhost.name, user, { configure: '.*', write: '^(tx|work)$', read: '.*' });
    const proxy = await AmqpProxy.start(vhost.address);
    proxies.push(proxy);
    const address = { host: '127.0.0.1', port: proxy.port, user, password: 'secret' };
    return { proxy, broker: brokers.open(rabbitUrl(address, vhost.name)) };
  }

  it('is refused at once where it is about the exchange without a name, and tried no more', async () => {
    const { broker } = await limited();
    const reply = broker.publish({ exchange: '', routingKey: 'reply_x', body: 'r', mandatory: true, retry: 5 });
    await expect(reply).rejects.toThrow(/refused/);
  });

  it('costs others little: what is alike is refused together, and for a moment not asked for again', async () => {
    const { broker, proxy } = await limited();
    const good = { exchange: 'tx', routingKey: 'work', body: 'x', topology: topicTopology('tx', 'work') };
    await broker.publish(good);
    proxy.clear();
    const bad = { exchange: 'amq.fanout', routingKey: '', body: 'x' };
    const outcomes = Promise.allSettled(Array.from({ length: 100 }, () => broker.publish(bad)));
    await broker.publish(good);
    // Those that the broker refused, and those that were not asked for again.
    const refused = { fault: 'caller', retryable: false, message: expect.stringMatching(/refused for user/) };
    const all = Array.from({ length: 100 }, () => ({ status: 'rejected', reason: refused }));
    expect(await outcomes).toMatchObject(all);
    await expect(broker.publish(bad)).rejects.toMatchObject(refused);
    expect(proxy.sent('ChannelOpen').length).toBeLessThan(4);
  });

  it('to declare is refused once for all that wait for it', async () => {
    const { broker, proxy } = await proxied();
    await broker.publish({ exchange: 'tw', routingKey: 'work', body: 'x', topology: topicTopology('tw', 'work') });
    proxy.clear();
    const bad: Topology = [{ kind: 'exchange', name: 'tw', type: 'fanout', durable: false, autoDelete: false }];
    const message = { exchange: 'tw', routingKey: 'work', body: 'x', topology: bad };
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => broker.publish(message)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    expect(proxy.sent('ExchangeDeclare').length).toBeLessThan(3);
  });
});

describe('a queue whose process hangs at the broker', () => {
  const hanging = topicTopology('tx', 'hanging');
  const wellTopology = topicTopology('tx', 'well');
  afterEach(() => vhost.admin.hangQueue(vhost.name, 'hanging', false));

  it('holds up nothing but what is sent to it, and that goes out when it answers again', async () => {
    const { proxy } = await proxied();
    const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 3_000 });
    const send = (routingKey: string, topology: Topology, retry = -1) =>
      broker.publish({ exchange: 'tx', routingKey, body: 'x', topology, retry });
    await send('hanging', hanging);
    await vhost.admin.hangQueue(vhost.name, 'hanging', true);
    // Each is a topology of its own: declared anew, and not answered.
    const stuck = watch(send('hanging', [...hanging]));
    const impatient = send('hanging', [...hanging], 0);
    await send('well', wellTopology);
    await expect(impatient).rejects.toThrow(/does not answer: declare queue 'hanging'/);
    await expect(broker.inspectQueue('hanging')).rejects.toThrow(/does not answer: inspect queue 'hanging'/);
    expect(await broker.inspectQueue('well')).toEqual({ messages: 1, consumers: 0 });
    expect(stuck.outcome).toBe('pending');
    expect(broker.reports('connection-changed').filter(({ to }) => to === 'disconnected')).toEqual([]);
    await vhost.admin.hangQueue(vhost.name, 'hanging', false);
    await eventually(() => stuck.outcome === 'confirmed');
    // What was left behind is closed when it is answered at last.
    await eventually(() => proxy.sent('ChannelClose').length >= 2);
    expect(await broker.inspectQueue('hanging')).toEqual({ messages: 2, consumers: 0 });
  });
});
