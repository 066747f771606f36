import { seamOf } from '../../../lib/broker/broker.js';
import { advanced } from '../../support/virtual-time.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectBroker, createBroker, type MessagingEvent, RpcClient, RpcServer } from '../../../lib/index.js';
import type { MessageBroker as Broker } from '../../../lib/broker/broker.js';
import { createMemoryBus, type MemoryTestBus } from '../../../lib/testing/index.js';

const TARGET = { exchange: 'nova', topic: 'conductor' };

let bus: MemoryTestBus;
let events: MessagingEvent[];
beforeEach(() => {
  bus = createMemoryBus();
  events = [];
});
afterEach(async () => {
  await bus.close();
  vi.useRealTimers();
});

async function connect(): Promise<Broker> {
  const broker = seamOf(await connectBroker(bus.url));
  broker.events.subscribe((event) => events.push(event));
  return broker;
}

async function serve(methods: Record<string, (args: Record<string, unknown>) => unknown>): Promise<RpcServer> {
  const server = new RpcServer(await connect(), { ...TARGET, server: 'host1' }, [{ methods }]);
  await server.start();
  return server;
}

async function newClient(): Promise<RpcClient> {
  return new RpcClient(await connect(), TARGET, { timeout: 3 });
}

describe('a bus for a test', () => {
  it('is no one else’s', async () => {
    const other = createMemoryBus();
    expect(other.url).not.toBe(bus.url);
    await serve({});
    expect(bus.queues).not.toEqual([]);
    expect(other.queues).toEqual([]);
    await other.close();
  });

  it('shows its queues and bindings', async () => {
    await serve({});
    const fanout = expect.stringMatching(/^conductor_fanout_[0-9a-f]{32}$/);
    const unused = { messages: 0, consumers: 1 };
    expect(bus.queues).toEqual([
      { name: 'conductor', ...unused },
      { name: 'conductor.host1', ...unused },
      { name: fanout, ...unused },
    ]);
    expect(bus.bindings).toEqual([
      { exchange: 'nova', queue: 'conductor', routingKey: 'conductor' },
      { exchange: 'nova', queue: 'conductor.host1', routingKey: 'conductor.host1' },
      { exchange: 'conductor_fanout', queue: fanout, routingKey: 'conductor' },
    ]);
  });

  it('shows what waits in a queue, foreign bytes as they are', async () => {
    const server = await serve({});
    await server.drain();
    const client = await newClient();
    await client.cast('reload', { what: 'flavors' }, { context: { user: 'u' } });
    await (await connect()).publish({ ...toTopic, body: 'no JSON', expirationMs: 5_000 });
    // What is left of it when the message is written.
    const aboutFiveSeconds = expect.toSatisfy((left: number) => left > 4_000 && left <= 5_000);
    expect(bus.messages('conductor')).toEqual([
      {
        exchange: 'nova',
        routingKey: 'conductor',
        body: expect.stringContaining('oslo.message'),
        message: expect.objectContaining({ method: 'reload', args: { what: 'flavors' }, _context_user: 'u' }),
      },
      { exchange: 'nova', routingKey: 'conductor', body: 'no JSON', expirationMs: aboutFiveSeconds },
    ]);
    expect(bus.messages('missing')).toEqual([]);
  });

  it('a look at it keeps no queue alive', async () => {
    vi.useFakeTimers();
    const broker = seamOf(createBroker(bus.url));
    await vi.advanceTimersByTimeAsync(0);
    const queue = {
      kind: 'queue',
      name: 'q',
      durable: false,
      autoDelete: false,
      arguments: { 'x-expires': 100 },
    } as const;
    await flushed(broker.publish({ exchange: '', routingKey: 'q', body: '1', topology: [queue] }));
    await vi.advanceTimersByTimeAsync(90);
    expect(bus.queues).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20);
    expect(bus.queues).toEqual([]);
  });

  it('refuses a delay that is none', () => {
    expect(() => bus.delay(-1)).toThrow('A delay is a number of milliseconds');
    expect(() => bus.delay(Number.NaN)).toThrow('A delay is a number of milliseconds');
  });
});

const toTopic = { exchange: 'nova', routingKey: 'conductor' };

async function flushed(sent: Promise<void>): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
  await sent;
}

describe('faults, at those who use RPC', () => {
  it('a call outlives a line that breaks while it is served', async () => {
    await serve({
      slow: () => {
        bus.dropConnection();
        return 'done';
      },
    });
    expect(await (await newClient()).call('slow')).toBe('done');
  });

  it('a request whose acknowledgement was lost comes again, and runs once', async () => {
    let runs = 0;
    const server = await serve({
      count: () => {
        // Its acknowledgement has left, and is not there yet.
        bus.dropConnection();
        bus.delay(0);
        return ++runs;
      },
    });
    server.events.subscribe((event) => events.push(event));
    const client = await newClient();
    bus.delay(20);
    expect(await client.call('count')).toBe(1);
    const duplicate = expect.objectContaining({ type: 'request-dropped', reason: 'duplicate' });
    await vi.waitUntil(() => events.some(({ type }) => type === 'request-dropped'));
    expect(events).toContainEqual(duplicate);
    expect(runs).toBe(1);
  });

  it('a call waits out an alarm', async () => {
    await serve({ ping: () => 'pong' });
    const client = await newClient();
    bus.block();
    const calling = client.call('ping');
    await vi.waitUntil(() => events.some((event) => event.type === 'connection-changed' && event.to === 'blocked'));
    bus.unblock();
    expect(await calling).toBe('pong');
  });

  it('a server whose queue was lost serves again', async () => {
    await serve({ ping: () => 'pong' });
    const client = await newClient();
    bus.cancelConsumer('conductor');
    await vi.waitUntil(() => events.some(({ type }) => type === 'consumers-restored'));
    expect(await client.call('ping')).toBe('pong');
  });

  it('a fake clock moves all of it', async () => {
    vi.useFakeTimers();
    const [near, far] = [seamOf(createBroker(bus.url)), seamOf(createBroker(bus.url))];
    await vi.advanceTimersByTimeAsync(0);
    const server = new RpcServer(near, { ...TARGET, server: 'host1' }, [{ methods: { ping: () => 'pong' } }]);
    await advanced(server.start());
    const answered = vi.fn<(answer: unknown) => void>();
    bus.delay(10_000);
    void new RpcClient(far, TARGET, { timeout: 3_600 }).call('ping').then(answered);
    // Request and reply are two ways each; connecting and the reply queue, which come first, are more.
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_000_000);
    expect(answered).toHaveBeenCalledWith('pong');
  });
});

describe('the end of a bus', () => {
  it('ends whoever is on it, and what they wait for', async () => {
    const server = await serve({ hang: () => new Promise(() => undefined) });
    const client = await newClient();
    const calling = client.call('hang');
    calling.catch(() => undefined);
    const broker = await connect();
    bus.block();
    const sent = broker.publish({ ...toTopic, body: '{}' });
    sent.catch(() => undefined);
    await bus.close();
    await bus.close();
    await expect(sent).rejects.toMatchObject({ code: 'OSLO_CLOSED' });
    expect(broker.state).toBe('closed');
    await client.close();
    await expect(calling).rejects.toMatchObject({ code: 'OSLO_CLOSED' });
    expect(bus.queues).toEqual([]);
    await server.drain();
  });

  it('what it had taken before is confirmed', async () => {
    const broker = await connect();
    await broker.publish({ exchange: '', routingKey: 'nowhere', body: '{}' });
    const sent = broker.publish({ exchange: '', routingKey: 'nowhere', body: '{}' });
    await bus.close();
    await expect(sent).resolves.toBeUndefined();
  });

  it.each(['as it is', 'refused', 'slow', 'blocked'])('leaves no timer, %s', async (condition) => {
    vi.useFakeTimers();
    const broker = seamOf(createBroker(bus.url));
    await vi.advanceTimersByTimeAsync(0);
    if (condition === 'slow') bus.delay(1_000);
    if (condition === 'blocked') bus.block();
    const queue = {
      kind: 'queue',
      name: 'q',
      durable: true,
      autoDelete: false,
      arguments: { 'x-expires': 9_000 },
    } as const;
    const consuming = broker.consume({ topology: [queue], queues: ['q'], prefetch: 0, onDeliveries: () => undefined });
    const sent = broker.publish({ exchange: '', routingKey: 'q', body: '1', topology: [queue], giveUpMs: 60_000 });
    const outcomes = Promise.allSettled([consuming, sent]);
    if (condition === 'refused') bus.refuse();
    bus.dropConnection();
    await vi.advanceTimersByTimeAsync(70);
    await bus.close();
    await outcomes;
    // An immediate counts, too, and is due a virtual millisecond later.
    await vi.advanceTimersByTimeAsync(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
