import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { MemoryBroker } from '../../support/memory-broker.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

describe('health', () => {
  const on = useRpcBus();
  let broker: MemoryBroker;

  beforeEach(async () => {
    vi.useFakeTimers();
    broker = on().broker();
    await ms(10);
  });

  const well = { connected: true, blocked: false, consuming: true, draining: false };

  it('of a client: its reply queue is consumed from the first call on', async () => {
    const client = on().client({ timeout: 1 }, undefined, broker);
    expect(client.health).toEqual({ ...well, consuming: null });
    const calling = client.call('echo').catch(() => undefined);
    await ms(10);
    expect(client.health).toEqual(well);
    broker.interrupted();
    expect(client.health).toEqual({ ...well, connected: false, consuming: false });
    await ms(200);
    expect(client.health).toEqual(well);
    await ms(1000);
    await calling;
    void client.close();
    expect(client.health).toMatchObject({ draining: true });
  });

  it('of a client turns when its reply queue is deleted, and back', async () => {
    const client = on().client({ timeout: 1 }, undefined, broker);
    const calling = client.call('echo').catch(() => undefined);
    await ms(10);
    on().bus.deleteQueue(client.replyQueue);
    await ms(1);
    expect(client.health).toEqual({ ...well, consuming: false });
    await ms(100);
    expect(client.health).toEqual(well);
    await ms(1000);
    await calling;
  });

  it('of a client waits with the bus', async () => {
    on().bus.accepting = false;
    const client = on().client({ timeout: 1 }, undefined, on().broker());
    const calling = client.call('echo').catch(() => undefined);
    expect(client.health).toEqual({ ...well, connected: false, consuming: false });
    await ms(1000);
    await calling;
  });

  it('of a server turns when no handler slot is free for 10 s, with a report, and back', async () => {
    const work = new Gate();
    const methods = { hang: () => work.opened, ping: () => 'pong' };
    const server = on().server([{ methods }], { executorThreadPoolSize: 2 }, undefined, broker);
    void server.start();
    await ms(10);
    const client = on().client({ timeout: 60 });
    const calls = Promise.allSettled([1, 2, 3].map((n) => client.call(n < 3 ? 'hang' : 'ping')));
    await ms(9_000);
    expect(server.health).toMatchObject({ saturated: false });
    await ms(1_100);
    expect(server.health).toMatchObject({ saturated: true });
    const saturated = { saturated: true, slots: 2, waiting: 1, methods: ['hang'], level: 'warn' };
    expect(on().eventsOf('server-saturated')).toMatchObject([saturated]);
    work.open();
    await ms(10);
    expect(await calls).toHaveLength(3);
    expect(server.health).toMatchObject({ saturated: false });
    expect(on().eventsOf('server-saturated')).toMatchObject([saturated, { saturated: false, level: 'log' }]);
  });

  it('of a server: consuming, draining, closed', async () => {
    const serving = { ...well, saturated: false };
    const work = new Gate();
    const server = on().server([{ methods: { work: () => work.opened } }], {}, undefined, broker);
    expect(server.health).toEqual({ ...serving, consuming: false });
    void server.start();
    await ms(10);
    expect(server.health).toEqual(serving);
    on().bus.deleteQueue('conductor');
    await ms(1);
    expect(server.health).toEqual({ ...serving, consuming: false });
    await ms(100);
    expect(server.health).toEqual(serving);
    const closing = server.close();
    await ms(0);
    expect(server.health).toEqual({ ...serving, consuming: false, draining: true });
    work.open();
    await ms(10_000);
    await closing;
    expect(server.health).toEqual({ ...serving, consuming: false, draining: true });
  });

  it('tells that the bus takes nothing', async () => {
    const client = on().client({ timeout: 1 }, undefined, broker);
    on().bus.alarmed = true;
    const casting = client.cast('echo').catch(() => undefined);
    await ms(10);
    expect(client.health).toEqual({ ...well, blocked: true, consuming: null });
    on().bus.alarmed = false;
    await ms(10);
    expect(client.health).toMatchObject({ connected: true, blocked: false });
    await casting;
  });

  it('asks nobody', async () => {
    const client = on().client({}, undefined, broker);
    const server = on().server([], {}, undefined, broker);
    void server.start();
    await ms(10);
    const asked = [vi.spyOn(broker, 'inspectQueue'), vi.spyOn(broker, 'publish'), vi.spyOn(broker, 'consume')];
    void client.health;
    void server.health;
    await ms(1000);
    for (const one of asked) expect(one).not.toHaveBeenCalled();
  });
});
