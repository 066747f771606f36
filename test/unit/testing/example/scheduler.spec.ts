import type { INestMicroservice } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { connectBroker, type OsloClient, RpcServer, ServerOsloRpc } from 'nestjs-oslo-messaging';
import { createMemoryBus, createOsloTestClient, type MemoryTestBus } from 'nestjs-oslo-messaging/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest'; // with Jest these are there without an import
import { NoValidHost, SchedulerModule } from './scheduler.js';

interface SchedulerApi {
  schedule(args: { instance: string; memory: number }): { scheduled: string };
}

describe('the scheduler', () => {
  let bus: MemoryTestBus;
  let app: INestMicroservice;
  let scheduler: OsloClient<SchedulerApi>;

  beforeEach(async () => {
    bus = createMemoryBus();
    process.env['TRANSPORT_URL'] = bus.url;
    const testing = await Test.createTestingModule({ imports: [SchedulerModule] }).compile();
    app = testing.createNestMicroservice<MicroserviceOptions>({
      logger: false,
      strategy: new ServerOsloRpc({
        transportUrl: bus.url,
        exchange: 'nova',
        topic: 'scheduler',
        pythonExceptions: [[NoValidHost, 'nova.exception.NoValidHost']],
      }),
    });
    await app.listen();
    scheduler = await createOsloTestClient<SchedulerApi>(app);
  });

  afterEach(async () => {
    await bus.close(); // whatever is wrong with it: all that is on it is disconnected
    await app.close();
  });

  /** A compute service that is none, but answers like one. */
  async function startCompute(freeMemory: () => number): Promise<string[]> {
    const booted: string[] = [];
    const boot = ({ instance }: { instance: string }) => void booted.push(instance);
    const broker = await connectBroker(bus.url);
    const compute = new RpcServer(broker, { exchange: 'nova', topic: 'compute', server: 'c1' }, [
      { methods: { free_memory: freeMemory, boot } },
    ]);
    await compute.start();
    return booted;
  }

  it('boots what fits', async () => {
    const booted = await startCompute(() => 4096);
    expect(await scheduler.call('schedule', { instance: 'web', memory: 512 })).toEqual({ scheduled: 'web' });
    expect(booted).toEqual(['web']);
  });

  it('refuses what does not, under the class that Python callers know', async () => {
    await startCompute(() => 256);
    const scheduling = scheduler.call('schedule', { instance: 'web', memory: 512 });
    await expect(scheduling).rejects.toMatchObject({ excType: 'NoValidHost', module: 'nova.exception' });
  });

  it('outlives a broken network in the middle of a call', async () => {
    const booted = await startCompute(() => {
      bus.dropConnection();
      return 4096;
    });
    expect(await scheduler.call('schedule', { instance: 'web', memory: 512 })).toEqual({ scheduled: 'web' });
    expect(booted).toEqual(['web']);
  });

  it('is back when the broker is', async () => {
    await startCompute(() => 4096);
    bus.refuse();
    bus.dropConnection();
    const scheduling = scheduler.call('schedule', { instance: 'web', memory: 512 });
    bus.accept();
    expect(await scheduling).toEqual({ scheduled: 'web' });
  });

  it('tells its caller when the network is too slow', async () => {
    const booted = await startCompute(() => 4096);
    bus.delay(150);
    const scheduling = scheduler.prepare({ timeout: 0.1 }).call('schedule', { instance: 'web', memory: 512 });
    await expect(scheduling).rejects.toMatchObject({ name: 'MessagingTimeout' });
    expect(booted).toEqual([]);
  });

  it('sends what compute services understand', async () => {
    const broker = await connectBroker(bus.url);
    const compute = new RpcServer(broker, { exchange: 'nova', topic: 'compute', server: 'c1' }, [{ methods: {} }]);
    await compute.start();
    await compute.drain(); // its queue stays, and keeps what comes
    const scheduling = scheduler.prepare({ timeout: 0.1 }).call('schedule', { instance: 'web', memory: 512 });
    await expect(scheduling).rejects.toMatchObject({ name: 'MessagingTimeout' });
    expect(bus.messages('compute')).toMatchObject([{ exchange: 'nova', message: { method: 'free_memory', args: {} } }]);
  });
});
