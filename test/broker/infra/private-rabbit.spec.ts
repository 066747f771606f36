import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useVhost } from '../../support/rabbit.js';
import { type RabbitServer, startRabbit } from '../../support/rabbit-server.js';

describe('the shared broker', () => {
  const vhost = useVhost();

  it('tells what a client declared', async () => {
    const connection = await connect(vhost.amqpUrl);
    const channel = await connection.createChannel();
    await channel.assertExchange('nova', 'topic', { durable: false });
    await channel.assertQueue('conductor', { durable: false, arguments: { 'x-expires': 60_000 } });
    await channel.bindQueue('conductor', 'nova', 'conductor.host1');
    await channel.prefetch(7);
    await channel.consume('conductor', () => undefined, { consumerTag: '1' });

    expect(await vhost.listExchanges()).toEqual([
      { name: 'nova', type: 'topic', durable: false, autoDelete: false, internal: false, arguments: {} },
    ]);
    expect(await vhost.queue('conductor')).toEqual({
      name: 'conductor',
      durable: false,
      autoDelete: false,
      exclusive: false,
      arguments: { 'x-expires': 60_000 },
      messagesReady: 0,
      messagesUnacknowledged: 0,
      consumers: 1,
    });
    expect(await vhost.listBindings()).toEqual([
      { exchange: 'nova', queue: 'conductor', routingKey: 'conductor.host1' },
    ]);
    expect(await vhost.listConsumers()).toEqual([
      { queue: 'conductor', consumerTag: '1', ackRequired: true, prefetchCount: 7, arguments: {} },
    ]);
    expect(await vhost.listConnections()).toMatchObject([{ vhost: vhost.name, user: 'guest', channels: 1 }]);
    await connection.close();
  });

  it('closes the connections of one virtual host', async () => {
    const connection = await connect(vhost.amqpUrl);
    const reason = new Promise<Error>((resolve) => connection.once('close', resolve));

    expect(await vhost.closeAllConnections()).toBe(1);
    expect((await reason).message).toContain('CONNECTION-FORCED');
  });
});

describe('a broker of one spec', () => {
  let server: RabbitServer;
  beforeAll(async () => {
    server = await startRabbit();
  });
  afterAll(() => server.dispose());

  it.each(['restart', 'kill and start', 'stopApp and startApp'] as const)(
    'keeps durable queues over %s',
    async (how) => {
      const before = await connect(server.url.replace('rabbit:', 'amqp:'));
      const closed = new Promise<void>((resolve) => before.on('error', () => undefined).once('close', () => resolve()));
      await (await before.createChannel()).assertQueue(how, { durable: true });

      // The broker tells of a durable queue before it is on disk.
      await server.admin.evaluate('mnesia:sync_log(), true');
      if (how === 'restart') await server.restart();
      else if (how === 'kill and start') await server.kill().then(() => server.start());
      else await server.stopApp().then(() => server.startApp());

      await closed;
      expect((await server.admin.listQueues('/')).map(({ name }) => name)).toContain(how);
    },
  );
});
