import 'reflect-metadata';
import assert from 'node:assert/strict';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { OsloEndpoint, OsloMethod, OsloRpcModule, ServerOsloRpc } from 'nestjs-oslo-messaging';
import { createMemoryBus, createOsloTestClient } from 'nestjs-oslo-messaging/testing';

/** The service under test; in its tests a real application, with a bus that is there for one test only. */
@OsloEndpoint()
class CounterEndpoint {
  private count = 0;

  @OsloMethod()
  add(@Payload('n') n: number) {
    return (this.count += n);
  }
}

@Module({ imports: [OsloRpcModule.forRoot()], controllers: [CounterEndpoint] })
class CounterModule {}

type Check = (bus: ReturnType<typeof createMemoryBus>, counter: CounterClient) => Promise<void>;
type CounterClient = Awaited<ReturnType<typeof createOsloTestClient<CounterApi>>>;
interface CounterApi {
  add(args: { n: number }): number;
}

const checks: Record<string, Check> = {
  'it adds': async (_bus, counter) => {
    assert.equal(await counter.call('add', { n: 2 }), 2);
    assert.equal(await counter.call('add', { n: 3 }), 5);
  },
  'a broken line costs no call, and no request runs twice': async (bus, counter) => {
    const adding = counter.call('add', { n: 1 });
    bus.dropConnection();
    assert.equal(await adding, 1);
    assert.equal(await counter.call('add', { n: 1 }), 2);
  },
  'under a memory alarm calls wait': async (bus, counter) => {
    bus.block();
    const adding = counter.call('add', { n: 1 });
    bus.unblock();
    assert.equal(await adding, 1);
  },
  'a line that is too slow is a clear error': async (bus, counter) => {
    bus.delay(10_000);
    await assert.rejects(counter.prepare({ timeout: 0.1 }).call('add', { n: 1 }), { name: 'MessagingTimeout' });
  },
  'a lost queue is made again': async (bus, counter) => {
    bus.cancelConsumer('counter');
    const isServed = () => bus.queues.some(({ name, consumers }) => name === 'counter' && consumers > 0);
    while (!isServed()) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await counter.call('add', { n: 1 }), 1);
    assert.deepEqual(bus.queues[0], { name: 'counter.host1', messages: 0, consumers: 1 });
  },
};

for (const [name, check] of Object.entries(checks)) {
  const bus = createMemoryBus();
  const strategy = new ServerOsloRpc({ transportUrl: bus.url, topic: 'counter', server: 'host1' });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(CounterModule, { strategy, logger: false });
  await app.listen();
  await check(bus, await createOsloTestClient<CounterApi>(app));
  await bus.close();
  await app.close();
  console.log(`ok: ${name}`);
}
