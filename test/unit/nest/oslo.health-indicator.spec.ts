import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, type MicroserviceOptions } from '@nestjs/microservices';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  getOsloClientToken,
  NotificationModule,
  Notifier,
  OsloClient,
  OsloHealthIndicator,
  OsloRpcModule,
} from '../../../lib/index.js';
import { createMemoryBus, type MemoryTestBus } from '../../../lib/testing/index.js';
import { probe, probedModule, startProbed } from './health-apps.js';
import { moduleOf, newServer } from './nest-apps.js';

function newBus(): MemoryTestBus {
  const bus = createMemoryBus();
  onTestFinished(() => bus.close());
  return bus;
}

const well = { connected: true, blocked: false, consuming: true, draining: false };
const SERVER = 'server of openstack/conductor';
const CLIENT = 'OsloClient(CONDUCTOR)';

/** The application with a client that has called, so that its reply queue is there. */
async function startAndCall() {
  const bus = newBus();
  const started = await startProbed(bus.url);
  const client = started.app.get<OsloClient>(getOsloClientToken('CONDUCTOR'), { strict: false });
  await client.call('echo');
  return { ...started, bus, client, look: () => started.oslo.check('oslo').oslo };
}

describe('OsloHealthIndicator', () => {
  it('shows each server, client, notifier and all listeners; a client that was never used counts as nothing', async () => {
    const { look } = await startAndCall();
    const { status, parts, message } = look();
    expect(parts.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: 'NotificationListeners', ...well },
      { name: 'Notifier', ...well, consuming: null },
      { name: CLIENT, ...well },
      { name: SERVER, ...well, saturated: false },
    ]);
    expect({ status, message }).toEqual({ status: 'up', message: undefined });
  });

  it('sees a lost connection at once, and its return', async () => {
    const { bus, look } = await startAndCall();
    bus.dropConnection();
    expect(look()).toMatchObject({ status: 'down', message: expect.stringContaining(`${SERVER} is not connected`) });
    await vi.waitFor(() => expect(look().status).toBe('up'));
  });

  it.each([
    ['the reply queue', /^reply_/, CLIENT],
    ['a request queue', /^conductor$/, SERVER],
    ['a notification queue', /^notifications[.]info$/, 'NotificationListeners'],
  ])('sees that %s is gone while the connection is healthy, and when it is back', async (_title, queue, name) => {
    const { bus, look } = await startAndCall();
    bus.cancelConsumer(bus.queues.find((each) => queue.test(each.name))!.name);
    const down = { status: 'down', message: `${name} does not consume its queues` };
    await vi.waitFor(() => expect(look()).toMatchObject(down), { interval: 1 });
    await vi.waitFor(() => expect(look().status).toBe('up'));
  });

  it('sees that no handler slot of a server is free for long', async () => {
    const { oslo } = await startAndCall();
    const full = { ...well, saturated: true };
    const { status, message } = oslo.check('oslo', [{ health: full }, { health: { ...well, saturated: false } }]).oslo;
    expect({ status, message }).toEqual({ status: 'down', message: 'Object has no free handler slot' });
  });

  it('sees a memory alarm, and its end', async () => {
    const { bus, client, look } = await startAndCall();
    bus.block();
    const sent = client.cast('echo');
    await vi.waitFor(() =>
      expect(look()).toMatchObject({ status: 'down', message: expect.stringContaining('is blocked by the broker') }),
    );
    bus.unblock();
    await sent;
    await vi.waitFor(() => expect(look().status).toBe('up'));
  });

  it('looks only at those that are chosen, with a name or without', async () => {
    const { app, bus, client, oslo } = await startAndCall();
    const foreign = new OsloClient({ transportUrl: newBus().url, topic: 'other', logEvents: false });
    await foreign.connect();
    onTestFinished(() => foreign.close());
    bus.dropConnection();
    expect(oslo.check('mine', [client, app.get(Notifier, { strict: false })]).mine.parts).toMatchObject([
      { name: CLIENT, connected: false },
      { name: 'Notifier', connected: false },
    ]);
    expect(oslo.check('foreign', [foreign])).toEqual({
      foreign: { status: 'up', parts: [{ name: 'OsloClient', ...well, consuming: null }] },
    });
  });

  it('is one, from whichever module it comes', async () => {
    const { url: transportUrl } = newBus();
    const quiet = { transportUrl, logEvents: false, isGlobal: false };
    const roots = [OsloRpcModule.forRoot(quiet), NotificationModule.forRoot(quiet)];
    for (const imports of [roots, [roots[0]!], [roots[1]!]]) {
      const app = await NestFactory.createApplicationContext(moduleOf({ imports }), { logger: false });
      onTestFinished(() => app.close());
      expect(app.get(OsloHealthIndicator, { strict: false, each: true })).toHaveLength(1);
      const oslo = app.get(OsloHealthIndicator, { strict: false });
      await vi.waitFor(() => expect(oslo.check('oslo').oslo.status).toBe('up'));
    }
  });
});

describe('a readiness probe with terminus', () => {
  it('answers 200 when all is well, 503 while the bus is away, and 200 again', async () => {
    const { app, bus } = await startAndCall();
    expect(await probe(app)).toMatchObject({ code: 200, body: { status: 'ok', details: { oslo: { status: 'up' } } } });
    bus.refuse();
    bus.dropConnection();
    expect(await probe(app)).toMatchObject({
      code: 503,
      body: { status: 'error', error: { oslo: { status: 'down', message: expect.stringContaining('not connected') } } },
    });
    bus.accept();
    await vi.waitFor(async () => expect((await probe(app)).code).toBe(200));
  });

  it('answers 503 before the server listens', async () => {
    const { url: transportUrl } = newBus();
    const app = await NestFactory.create(probedModule(transportUrl), { logger: false });
    onTestFinished(() => app.close());
    app.connectMicroservice<MicroserviceOptions>({ strategy: newServer({ transportUrl, topic: 'late' }) });
    await app.listen(0, '127.0.0.1');
    expect(await probe(app)).toMatchObject({
      code: 503,
      body: { details: { oslo: { message: 'server of openstack/late is not connected' } } },
    });
    await app.startAllMicroservices();
    expect((await probe(app)).code).toBe(200);
  });

  it('answers 503 while a shutdown waits for a handler', async () => {
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const begun = vi.fn<() => void>();
    @Controller()
    class SlowController {
      @MessagePattern('slow')
      async slow() {
        begun();
        await finished;
      }
    }
    const { app, client } = await startProbed(newBus().url, { controllers: [SlowController] });
    client.send('slow', {}).subscribe();
    await vi.waitFor(() => expect(begun).toHaveBeenCalled());
    const closed = app.close();
    await vi.waitFor(async () =>
      expect(await probe(app)).toMatchObject({
        code: 503,
        body: { details: { oslo: { message: expect.stringContaining(`${SERVER} is draining`) } } },
      }),
    );
    finish();
    await closed;
  });
});
