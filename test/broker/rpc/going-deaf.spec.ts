import type { EventEmitter } from 'node:events';
import amqp from 'amqplib';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type MessagingEvent, NotificationListener, NotifierCore, RpcClient, RpcServer } from '../../../lib/index.js';
import type { Subscription } from '../../../lib/broker/broker.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { sharedRabbit, useVhost } from '../../support/rabbit.js';
import { type ObservedBroker, useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor' };
const well = { connected: true, blocked: false, consuming: true, draining: false };

/** Closed in this order, before the brokers. */
let ends: { close(): Promise<void> }[] = [];
let proxy: AmqpProxy;
/** Opens the handler of `work`. */
let finish: () => void;

beforeEach(async () => {
  proxy = await AmqpProxy.start(vhost.address);
});
afterEach(async () => {
  for (const end of ends) await end.close();
  ends = [];
  await proxy.close();
});

function brokerViaProxy(consumerCheckIntervalMs = 50): ObservedBroker {
  return brokers.open(vhost.urlVia(proxy), { consumerCheckIntervalMs });
}

async function serve(broker = brokers.open(vhost.url)): Promise<RpcServer> {
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const work = (): Promise<string> => finished.then(() => 'done');
  const echo = (args: object): object => args;
  const server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods: { work, echo } }]);
  ends.push(server);
  await server.start();
  return server;
}

function clientOn(broker: ObservedBroker): RpcClient {
  const client = new RpcClient(broker, target, { timeout: 20 });
  ends.unshift(client);
  return client;
}

/** The health at each loss and return of consumers. */
function watchHealth(broker: ObservedBroker, client: { health: object }): [MessagingEvent['type'], object][] {
  const seen: [MessagingEvent['type'], object][] = [];
  broker.events.subscribe(({ type }) => {
    if (type.startsWith('consumers-')) seen.push([type, client.health]);
  });
  return seen;
}

/** A cancellation that our own code knows nothing of: the queue stays, and AMQP is healthy. */
async function cancelUnsaid(broker: ObservedBroker): Promise<void> {
  const { subscriptions } = broker as unknown as {
    subscriptions: Set<Subscription & { channel: { channel: { cancel(tag: string): Promise<unknown> } } }>;
  };
  for (const { channel, queues } of subscriptions) {
    for (const index of queues.keys()) await channel.channel.cancel(String(index + 1));
  }
}

/** One bit of what the broker writes has flipped. */
function damageNextTag(broker: ObservedBroker): void {
  const { subscriptions } = broker as unknown as {
    subscriptions: Set<{ channel: { channel: { channel: EventEmitter } } }>;
  };
  for (const { channel } of subscriptions) {
    channel.channel.channel.prependOnceListener('delivery', ({ fields }: { fields: { deliveryTag: number } }) => {
      fields.deliveryTag += 2 ** 32;
    });
  }
}

const restored = (broker: ObservedBroker): Promise<unknown> =>
  eventually(() => broker.reports('consumers-restored').length > 0, 'consumers being restored');

describe('a client whose call is waiting', () => {
  it('has its reply queue back at once when that is deleted; the answer arrives', async () => {
    await serve();
    const broker = brokerViaProxy(60_000);
    const client = clientOn(broker);
    const calling = client.call('work');
    await eventually(() => client.health.consuming);
    const health = watchHealth(broker, client);
    await vhost.deleteQueue(client.replyQueue);
    await restored(broker);
    expect(await vhost.queue(client.replyQueue)).toMatchObject({ consumers: 1 });
    finish();
    expect(await calling).toBe('done');
    // The answer may come with the broker's word that the queue is consumed.
    await eventually(() => health.length === 2);
    expect(health).toEqual([
      ['consumers-lost', { ...well, consuming: false }],
      ['consumers-restored', well],
    ]);
  });

  it('gets all answers though its reply queue is deleted again and again under load', async () => {
    await serve();
    const client = clientOn(brokers.open(vhost.url));
    const calls: Promise<unknown>[] = [];
    // A machine that is slow gets no more than it can do.
    const load = setInterval(() => {
      if (client.pendingCalls < 100) calls.push(client.call('echo', { n: calls.length }));
    }, 1);
    onTestFinished(() => clearInterval(load));
    for (let deleted = 0; deleted < 20; deleted += 1) {
      await eventually(() => client.health.consuming);
      const before = calls.length;
      await eventually(() => calls.length > before + 20);
      await Promise.all(calls.slice(before, before + 20));
      await vhost.deleteQueue(client.replyQueue);
    }
    clearInterval(load);
    expect(await Promise.all(calls)).toEqual(calls.map((_call, n) => ({ n })));
  }, 120_000);

  it('notices a deleted reply queue though the cancellation got lost', async () => {
    await serve();
    const broker = brokerViaProxy(500);
    const client = clientOn(broker);
    const calling = client.call('work');
    await eventually(() => client.health.consuming);
    const health = watchHealth(broker, client);
    const swallowed = proxy.strike({ from: 'broker', method: 'BasicCancel', fault: 'swallow' });
    await vhost.deleteQueue(client.replyQueue);
    await swallowed;
    finish();
    expect(await calling).toBe('done');
    // The answer may come with the broker's word that the queue is consumed.
    await eventually(() => health.length === 2);
    expect(health).toEqual([
      ['consumers-lost', { ...well, consuming: false }],
      ['consumers-restored', well],
    ]);
    expect(broker.reports('consumers-lost')).toMatchObject([{ level: 'warn', queues: [client.replyQueue] }]);
    expect(await vhost.listConsumers()).toContainEqual(
      expect.objectContaining({ queue: client.replyQueue, consumerTag: '1' }),
    );
    expect(broker.reports('connection-changed').filter(({ to }) => to === 'disconnected')).toEqual([]);
  });

  it('notices that its consumer is gone from a queue that stays; what waits in it is not lost', async () => {
    await serve();
    const broker = brokerViaProxy(500);
    const client = clientOn(broker);
    const calling = client.call('work');
    await eventually(() => client.health.consuming);
    await cancelUnsaid(broker);
    finish();
    expect(await calling).toBe('done');
    expect(await vhost.queue(client.replyQueue)).toMatchObject({ consumers: 1, messagesReady: 0 });
  });
});

describe('a channel whose process at the broker hangs', () => {
  const impatient = { consumerCheckIntervalMs: 500, livenessTimeoutMs: 3_000 };
  let hanging: string[] = [];
  afterEach(() => sharedRabbit().admin.resumeChannels(hanging.splice(0)));

  it.each([
    ['that of our reply queue', 'consumer_count'],
    ['that of our requests', 'confirm'],
  ] as const)('%s: noticed, and calls work again', async (_which, kind) => {
    const broker = brokers.open(vhost.url, impatient);
    const client = clientOn(broker);
    const earlier = brokers.open(vhost.url);
    const server = await serve(earlier);
    await client.call('echo', {});
    await server.close();
    await earlier.close();
    hanging = await sharedRabbit().admin.hangChannels(vhost.name, kind);
    expect(hanging).toHaveLength(1);
    // Its own connections come after.
    await serve();
    expect(await client.call('echo', { n: 1 })).toEqual({ n: 1 });
    expect(broker.reports('connection-changed')).toContainEqual(
      expect.objectContaining({
        to: 'disconnected',
        message: expect.stringContaining('does not answer on the channel'),
      }),
    );
  });

  it('that of a server: noticed, and its requests are served', async () => {
    await serve(brokers.open(vhost.url, impatient));
    hanging = await sharedRabbit().admin.hangChannels(vhost.name, 'consumer_count');
    expect(hanging).toHaveLength(1);
    expect(await clientOn(brokers.open(vhost.url)).call('echo', { n: 1 })).toEqual({ n: 1 });
  });
});

describe('a delivery tag out of turn', () => {
  it('is the end of its line, and of nothing else', async () => {
    await serve();
    const broker = brokers.open(vhost.url);
    const client = clientOn(broker);
    await client.call('echo', {});
    damageNextTag(broker);
    expect(await Promise.all([1, 2].map((n) => client.call('echo', { n })))).toEqual([{ n: 1 }, { n: 2 }]);
    expect(broker.reports('connection-changed')).toContainEqual(
      expect.objectContaining({ to: 'disconnected', message: expect.stringContaining('out of turn') }),
    );
  });
});

describe('a server', () => {
  it('notices all its queues vanish, and has the same queues, bindings and consumers as before', async () => {
    const broker = brokerViaProxy(500);
    const server = await serve(broker);
    const before = { bindings: await vhost.listBindings(), consumers: await vhost.listConsumers() };
    const swallowed = server.queues.map(() =>
      proxy.strike({ from: 'broker', method: 'BasicCancel', fault: 'swallow' }),
    );
    for (const queue of server.queues) await vhost.deleteQueue(queue);
    await Promise.all(swallowed);
    await eventually(async () => {
      expect(new Set(await vhost.listConsumers())).toEqual(new Set(before.consumers));
      return true;
    });
    expect(new Set(await vhost.listBindings())).toEqual(new Set(before.bindings));
    await eventually(() => server.health.consuming);
    expect(await clientOn(brokers.open(vhost.url)).call('echo', { a: 1 })).toEqual({ a: 1 });
  });

  it('notices that its consumers are gone from queues that stay', async () => {
    const broker = brokerViaProxy();
    await serve(broker);
    await cancelUnsaid(broker);
    const calling = clientOn(brokers.open(vhost.url)).call('echo', { a: 1 });
    expect(await calling).toEqual({ a: 1 });
    await restored(broker);
  });

  it('binds its queues again when their exchange was deleted', async () => {
    await serve(brokerViaProxy());
    const before = await vhost.listBindings();
    const connection = await amqp.connect(vhost.amqpUrl);
    const channel = await connection.createChannel();
    await channel.deleteExchange('nova');
    await channel.deleteExchange('conductor_fanout');
    await connection.close();
    await eventually(async () => {
      expect(new Set(await vhost.listBindings())).toEqual(new Set(before));
      return true;
    });
    expect(await clientOn(brokers.open(vhost.url)).call('echo', { a: 1 })).toEqual({ a: 1 });
  });
});

describe('an exchange that somebody has deleted', () => {
  // But for the one soon after the start no look comes in this time.
  const withoutLooks = (): ObservedBroker => brokers.open(vhost.urlVia(proxy), { consumerCheckIntervalMs: 600_000 });
  /** Each of a server's three bindings at its start, and by that look. */
  const looked = (): Promise<unknown> => eventually(() => proxy.received('QueueBindOk').length >= 6, 'the look');
  const texts = (broker: ObservedBroker): string[] => broker.reports('consumers-lost').map(({ message }) => message);

  async function change(change: (channel: amqp.Channel) => Promise<unknown>): Promise<void> {
    const connection = await amqp.connect(vhost.amqpUrl);
    await change(await connection.createChannel());
    await connection.close();
  }

  it('is bound again when a message of ours meets its lack, and the log says so', async () => {
    const broker = withoutLooks();
    const server = await serve(broker);
    const client = clientOn(broker);
    await client.call('echo', {});
    await looked();
    await change((channel) => channel.deleteExchange('nova'));
    expect(await client.call('echo', { a: 1 })).toEqual({ a: 1 });
    const bus = `127.0.0.1:${proxy.port} (virtual host ${vhost.name})`;
    expect(texts(broker)).toEqual([expect.stringContaining(` on ${bus}: exchange 'nova' has lost their bindings`)]);
    await eventually(() => broker.reports('consumers-restored').length === 1);
    expect(broker.reports('consumers-restored')[0]?.message).toContain(` on ${bus}`);
    expect(server.health).toMatchObject(well);
  });

  it('and made as another type is bound as soon as that is gone, and the log says what is wrong', async () => {
    const broker = withoutLooks();
    await serve(broker);
    const client = clientOn(broker);
    await client.call('echo', {});
    await looked();
    await change(async (channel) => {
      await channel.deleteExchange('nova');
      await channel.assertExchange('nova', 'headers', { durable: false });
    });
    const calling = client.call('echo', { a: 1 });
    await eventually(() => texts(broker).some((text) => text.includes("inequivalent arg 'type'")));
    await change((channel) => channel.deleteExchange('nova'));
    expect(await calling).toEqual({ a: 1 });
    await eventually(() => broker.reports('consumers-restored').length === 1);
  });
});

it('a notification listener notices that its consumer is gone', async () => {
  const broker = brokerViaProxy();
  const received: string[] = [];
  const listener = new NotificationListener(broker, [
    { priorities: 'info', exchange: 'nova', handler: ({ eventType }) => void received.push(String(eventType)) },
  ]);
  ends.push(listener);
  await listener.start();
  await cancelUnsaid(broker);
  const notifier = new NotifierCore(brokers.open(vhost.url), { publisherId: 'test', exchange: 'nova' });
  await notifier.info('compute.started', {});
  await eventually(() => received.includes('compute.started'));
  await restored(broker);
  expect(listener.health).toEqual(well);
});

it('looking disturbs nobody', async () => {
  const broker = brokerViaProxy(1);
  await serve(broker);
  const client = clientOn(broker);
  const looks = (): number => proxy.sent('QueueDeclare').filter(({ fields }) => fields['passive'] === true).length;
  for (let n = 0; n < 200 || looks() < 20; n++) expect(await client.call('echo', { n })).toEqual({ n });
  expect(broker.reports('consumers-lost')).toEqual([]);
  expect(proxy.received('ChannelClose', 'ConnectionClose')).toEqual([]);
  // Connections, and so channels of them, are as few as without.
  expect(proxy.accepted).toBe(2);
  expect(proxy.sent('ChannelOpen').length).toBeLessThanOrEqual(6);
  expect(proxy.sent('BasicConsume')).toHaveLength(4);
}, 120_000);

describe('a line that went silent, and lives on at the broker', () => {
  it('takes no share of the replies: it is ended, and every call is answered, those that were under way too', async () => {
    await serve();
    const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 2_000 });
    const client = clientOn(broker);
    await client.call('echo', {});
    const consumers = async (): Promise<number> =>
      (await vhost.listConsumers()).filter(({ queue }) => queue === client.replyQueue).length;
    // The broker does not hear that the lines are given up.
    proxy.stallThoseOpen();
    const each = Array.from({ length: 20 }, (_, n) => ({ n }));
    expect(await Promise.all(each.map((args) => client.call('echo', args)))).toEqual(each);
    expect(await consumers()).toBe(1);
    expect(broker.reports('message-republished')).toHaveLength(20);
    for (const args of each) expect(await client.call('echo', args)).toEqual(args);
  });

  it('with a quorum reply queue costs no other line: RabbitMQ deletes none of them on a condition', async () => {
    const options = { rabbitQuorumQueue: true, rabbitTransientQuorumQueue: true, consumerCheckIntervalMs: 300 };
    await serve();
    const broker = brokers.open(vhost.urlVia(proxy), options);
    const client = clientOn(broker);
    await client.call('echo', {});
    // A second consumer of the queue that is ours alone, as a lost line leaves it behind.
    const other = await amqp.connect(vhost.amqpUrl);
    const channel = await other.createChannel();
    await channel.consume(client.replyQueue, () => undefined);
    // The broker counts it some seconds later.
    await eventually(async () => (await channel.checkQueue(client.replyQueue)).consumerCount === 2, 'counted', 20_000);
    const looks = (): number => proxy.sent('QueueDeclare').filter(({ fields }) => fields['passive'] === true).length;
    const before = looks();
    await eventually(() => looks() > before + 2);
    expect(proxy.accepted).toBe(2);
    await other.close();
    expect(await client.call('echo', { n: 1 })).toEqual({ n: 1 });
  });
});
