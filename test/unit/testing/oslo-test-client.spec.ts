import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConfigurationError, OsloEndpoint, OsloMethod, OsloRpcModule, ServerOsloRpc } from '../../../lib/index.js';
import { createMemoryBus, createOsloTestClient } from '../../../lib/testing/index.js';
import { moduleOf } from '../nest/nest-apps.js';

@OsloEndpoint()
class PingEndpoint {
  @OsloMethod() ping() {
    return 'pong';
  }
}

const AppModule = moduleOf({ imports: [OsloRpcModule.forRoot()], controllers: [PingEndpoint] });

function strategyOn(url: string, topic = 'conductor'): ServerOsloRpc {
  return new ServerOsloRpc({ transportUrl: url, exchange: 'nova', topic, logEvents: false });
}

function newBus(): string {
  const bus = createMemoryBus();
  onTestFinished(() => bus.close());
  return bus.url;
}

const kinds: [string, (strategy: ServerOsloRpc) => Promise<INestApplicationContext>][] = [
  [
    'a microservice',
    async (strategy) => {
      const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, { strategy, logger: false });
      await app.listen();
      return app;
    },
  ],
  [
    'a hybrid application',
    async (strategy) => {
      const app = await NestFactory.create(AppModule, { logger: false });
      app.connectMicroservice<MicroserviceOptions>({ strategy });
      await app.startAllMicroservices();
      return app.init();
    },
  ],
  [
    'a microservice of a testing module',
    async (strategy) => {
      const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
      const app = testing.createNestMicroservice<MicroserviceOptions>({ strategy, logger: false });
      await app.listen();
      return app;
    },
  ],
  [
    'a hybrid application of a testing module',
    async (strategy) => {
      const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
      const app = testing.createNestApplication({ logger: false });
      app.connectMicroservice<MicroserviceOptions>({ strategy });
      await app.startAllMicroservices();
      return app.init();
    },
  ],
];

describe('a test client', () => {
  it.each(kinds)('calls %s, and ends with it', async (_kind, start) => {
    const app = await start(strategyOn(newBus()));
    const client = await createOsloTestClient(app);
    expect(await client.call('ping')).toBe('pong');
    await app.close();
    await expect(client.call('ping')).rejects.toMatchObject({ code: 'OSLO_CLOSED' });
  });

  it('can be closed by hand, before its application', async () => {
    const app = await kinds[0]![1](strategyOn(newBus()));
    const client = await createOsloTestClient(app);
    await client.close();
    await client.close();
    await expect(client.call('ping')).rejects.toMatchObject({ code: 'OSLO_CLOSED' });
    await app.close();
  });

  it('takes other options than those of the server', async () => {
    const app = await kinds[0]![1](strategyOn(newBus()));
    const client = await createOsloTestClient(app, { topic: 'nobody', timeout: 0.01 });
    await expect(client.call('ping')).rejects.toMatchObject({ code: 'OSLO_TIMEOUT' });
    await app.close();
  });

  it('says what an application without a server lacks', async () => {
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    const creating = createOsloTestClient(app);
    await expect(creating).rejects.toBeInstanceOf(ConfigurationError);
    await expect(creating).rejects.toThrow('serves nothing with ServerOsloRpc');
    await app.close();
  });

  it('wants to know which one, of several servers', async () => {
    const url = newBus();
    const [one, other] = [strategyOn(url, 'one'), strategyOn(url, 'other')];
    const app = await NestFactory.create(AppModule, { logger: false });
    for (const strategy of [one, other]) app.connectMicroservice<MicroserviceOptions>({ strategy });
    await app.startAllMicroservices();
    await expect(createOsloTestClient(app)).rejects.toThrow('several ServerOsloRpc');
    const client = await createOsloTestClient(app, { strategy: other });
    expect(await client.call('ping')).toBe('pong');
    await app.close();
  });

  it('fails where the bus is not there', async () => {
    const bus = createMemoryBus();
    const app = await kinds[0]![1](strategyOn(bus.url));
    bus.refuse();
    const creating = createOsloTestClient(app, { startup: 'fail-fast' });
    await expect(creating).rejects.toMatchObject({ code: 'OSLO_DELIVERY' });
    await bus.close();
    await app.close();
  });
});

it('reaches a server whose exchange and queues are durable', async () => {
  const strategy = new ServerOsloRpc({
    transportUrl: newBus(),
    topic: 'conductor',
    amqpDurableQueues: true,
    logEvents: false,
  });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, { strategy, logger: false });
  onTestFinished(() => app.close());
  await app.listen();
  expect(await (await createOsloTestClient(app)).call('ping')).toBe('pong');
});
