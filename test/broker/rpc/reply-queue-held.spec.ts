import amqp, { type Channel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RpcClient, RpcServer } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { rabbitUrl } from '../../support/rabbit-url.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

/** Longer than a lock by a lost connection is waited for. */
const LONGEST_REFUSAL_MS = 3_500;

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor', server: 'host1' };

async function holdExclusively(channel: Channel, queue: string, what: string): Promise<void> {
  if (what === 'the queue') return void (await channel.assertQueue(queue, { exclusive: true }));
  await channel.assertQueue(queue, { durable: false, arguments: { 'x-expires': 1_800_000 } });
  await channel.consume(queue, () => undefined, { exclusive: true });
}

describe('a reply queue that somebody else holds exclusively', () => {
  it.each(['the queue', 'its consumer'])(
    '(%s) is replaced after some seconds; calls are answered again',
    async (what) => {
      const server = new RpcServer(brokers.open(vhost.url), target, [{ methods: { ping: () => 'pong' } }]);
      await server.start();
      const broker = brokers.open(vhost.url);
      const client = new RpcClient(broker, target, { timeout: 20 });
      expect(await client.call('ping')).toBe('pong');
      const held = client.replyQueue;
      const thief = await amqp.connect(vhost.amqpUrl);
      const channel = await thief.createChannel();
      await channel.deleteQueue(held);
      await holdExclusively(channel, held, what);
      await eventually(() => broker.reports('reply-queue-replaced').length > 0);
      expect(broker.reports('reply-queue-replaced')).toMatchObject([
        {
          replaced: held,
          queue: client.replyQueue,
          level: 'error',
          message: expect.stringMatching(/RESOURCE_LOCKED|ACCESS_REFUSED/),
        },
      ]);
      expect(client.replyQueue).not.toBe(held);
      expect(await client.call('ping')).toBe('pong');
      expect(client.health).toMatchObject({ consuming: true });
      await client.close();
      await server.close();
      await channel.deleteQueue(held);
      await thief.close();
      await vhost.deleteQueue('conductor');
      await vhost.deleteQueue('conductor.host1');
    },
  );

  it.each(['the queue', 'its consumer'])('(%s) before the first call is replaced as well', async (what) => {
    const server = new RpcServer(brokers.open(vhost.url), target, [{ methods: { ping: () => 'pong' } }]);
    await server.start();
    const client = new RpcClient(brokers.open(vhost.url), target, { timeout: 20 });
    const held = client.replyQueue;
    const thief = await amqp.connect(vhost.amqpUrl);
    const channel = await thief.createChannel();
    await holdExclusively(channel, held, what);
    expect(await client.call('ping')).toBe('pong');
    expect(client.replyQueue).not.toBe(held);
    await channel.deleteQueue(held);
    await thief.close();
    // Nobody asks for it any more.
    expect((await vhost.listQueues()).map(({ name }) => name)).not.toContain(held);
    await client.close();
    await server.close();
    await vhost.deleteQueue('conductor');
    await vhost.deleteQueue('conductor.host1');
  });
});

describe('a reply queue that we may not use for a while', () => {
  const user = 'limited';
  beforeEach(() => vhost.admin.addUser(user, 'secret'));
  afterEach(() => vhost.admin.deleteUser(user));

  const permitReading = (read: string): Promise<boolean> =>
    vhost.admin.setPermissions(vhost.name, user, { configure: '.*', write: '.*', read });

  it('is kept, and what is outstanding is answered there when we may again', async () => {
    await permitReading('.*');
    const server = new RpcServer(brokers.open(vhost.url), target, [{ methods: { ping: () => answer } }]);
    let tell: (answer: string) => void = () => undefined;
    const answer = new Promise<string>((resolve) => (tell = resolve));
    await server.start();
    const proxy = await AmqpProxy.start(vhost.address);
    const address = { host: '127.0.0.1', port: proxy.port, user, password: 'secret' };
    const broker = brokers.open(rabbitUrl(address, vhost.name));
    const client = new RpcClient(broker, target, { timeout: 30 });
    const call = client.call('ping');
    await eventually(() => server.counters.dispatched > 0);
    const { replyQueue } = client;
    await permitReading('^nothing$');
    proxy.drop();
    const isRefused = ({ message }: { message: string }): boolean => message.includes('refused for user');
    await eventually(() => broker.reports('consumers-lost').some(isRefused));
    const since = performance.now();
    await eventually(() => performance.now() - since > LONGEST_REFUSAL_MS);
    await permitReading('.*');
    tell('pong');
    expect(await call).toBe('pong');
    expect(client.replyQueue).toBe(replyQueue);
    await client.close();
    await server.close();
    await proxy.close();
    await vhost.deleteQueue('conductor');
    await vhost.deleteQueue('conductor.host1');
  });
});
