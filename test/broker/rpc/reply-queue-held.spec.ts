import amqp from 'amqplib';
import { afterEach, describe, expect, it } from 'vitest';
import { RpcClient, RpcServer } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor', server: 'host1' };

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
      if (what === 'the queue') await channel.assertQueue(held, { exclusive: true });
      else {
        await channel.assertQueue(held, { durable: false, arguments: { 'x-expires': 1_800_000 } });
        await channel.consume(held, () => undefined, { exclusive: true });
      }
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
});
