import { describe, expect, it, vi } from 'vitest';
import { ClosedError, type IncomingRequest, type RpcServer } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

const FANOUT = { exchange: 'conductor_fanout', routingKey: '' };
const TO_SERVER = { routingKey: 'conductor.host1' };

describe('draining a server', () => {
  const on = useRpcBus();

  /** A server of one slot that works on a call, with one request of each queue held behind it. */
  async function busyServer(options = {}): Promise<{ server: RpcServer; runs: string[]; first: Gate }> {
    const runs: string[] = [];
    const first = new Gate();
    const work = ({ n }: { n: string }): unknown => {
      runs.push(n);
      return n === 'first' ? first.opened.then(() => 'done') : n;
    };
    const server = await on().serve({ work }, { executorThreadPoolSize: 1, ...options });
    return { server, runs, first };
  }

  it('gives back what has not started, runs fanouts, answers what runs, and ends', async () => {
    const peer = on().peer();
    await peer.listenForReplies();
    const { server, runs, first } = await busyServer();
    const msgId = await peer.call('work', { args: { n: 'first' } });
    await peer.cast('work', { args: { n: 'topic' } });
    await peer.cast('work', { args: { n: 'server' } }, TO_SERVER);
    await peer.cast('work', { args: { n: 'fanout' } }, FANOUT);
    await eventually(() => runs.length === 1);

    const draining = server.drain();
    expect(server.drain()).toBe(draining);
    expect(server.close()).toBe(draining);
    // Before the handler has ended a sibling can have the topic's request.
    await eventually(async () => (await peer.broker.inspectQueue('conductor'))?.messages === 1);
    expect(await peer.broker.inspectQueue('conductor.host1')).toEqual({ messages: 1, consumers: 0 });
    first.open();
    await draining;

    expect(runs).toEqual(['first', 'fanout']);
    expect((await peer.next()).message).toMatchObject({ _msg_id: msgId, result: 'done' });
    expect(await peer.broker.inspectQueue('conductor')).toEqual({ messages: 1, consumers: 0 });
    expect(await peer.broker.inspectQueue(server.queues[2]!)).toBeUndefined();
    expect(server.counters).toMatchObject({ dispatched: 2, drained: 0 });
    expect(
      on()
        .eventsOf('lifecycle-changed')
        .map(({ to }) => to),
    ).toEqual(['started', 'draining', 'closed']);
  });

  it('does not take again what it has just given back', async () => {
    const peer = on().peer();
    const { server, runs, first } = await busyServer();
    await peer.cast('work', { args: { n: 'first' } });
    await peer.cast('work', { args: { n: 'second' } });
    await eventually(() => runs.length === 1);
    const draining = server.drain();
    await eventually(async () => (await peer.broker.inspectQueue('conductor'))?.messages === 1);
    const sibling = await on().serve({ work: ({ n }: { n: string }) => void runs.push(`sibling ${n}`) });
    await eventually(() => runs.length === 2);
    first.open();
    await draining;
    expect(runs).toEqual(['first', 'sibling second']);
    // One delivery to the drained server, one to the sibling.
    expect(sibling.counters.redelivered).toBe(1);
    expect(server.counters.redelivered).toBe(0);
  });

  it('is bounded: signals fire, what runs and unstarted fanouts are dropped and reported', async () => {
    vi.useFakeTimers();
    const peer = on().peer();
    const signals: AbortSignal[] = [];
    const never = new Gate();
    const work = (_args: object, request: IncomingRequest): Promise<void> => {
      signals.push(request.signal);
      return never.opened;
    };
    const starting = on().serve({ work }, { executorThreadPoolSize: 1, shutdownTimeoutMs: 3000 });
    await vi.advanceTimersByTimeAsync(10);
    const server = await starting;
    void peer.cast('work', { _unique_id: 'ran' });
    void peer.cast('work', { _unique_id: 'fan' }, FANOUT);
    await vi.advanceTimersByTimeAsync(10);

    let ended = false;
    void server.drain().then(() => (ended = true));
    await vi.advanceTimersByTimeAsync(2900);
    expect({ ended, aborted: signals[0]!.aborted }).toEqual({ ended: false, aborted: false });
    await vi.advanceTimersByTimeAsync(200);
    expect({ ended, aborted: signals[0]!.aborted }).toEqual({ ended: true, aborted: true });
    expect(signals[0]!.reason).toBeInstanceOf(ClosedError);
    expect(on().eventsOf('request-dropped')).toMatchObject([
      { reason: 'drained', uniqueId: 'ran' },
      { reason: 'drained', uniqueId: 'fan' },
    ]);
    expect(server.counters.drained).toBe(2);
    never.open();
    await vi.advanceTimersByTimeAsync(10);
    await on().close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits as long as it takes, where shutdownTimeoutMs is Infinity', async () => {
    vi.useFakeTimers();
    const work = new Gate();
    const starting = on().serve({ work: () => work.opened }, { shutdownTimeoutMs: Infinity });
    await vi.advanceTimersByTimeAsync(10);
    const server = await starting;
    void on().peer().cast('work');
    await vi.advanceTimersByTimeAsync(10);
    let ended = false;
    void server.drain().then(() => (ended = true));
    await vi.advanceTimersByTimeAsync(100_000);
    expect(ended).toBe(false);
    work.open();
    await vi.advanceTimersByTimeAsync(10);
    expect(ended).toBe(true);
  });

  it('is not bounded by what is no number', async () => {
    await expect(on().serve({}, { shutdownTimeoutMs: NaN })).rejects.toThrow('shutdownTimeoutMs must be a number');
  });

  it('waits for an answer whose queue is missing for a moment', async () => {
    const peer = on().peer();
    await peer.listenForReplies();
    const { server, runs, first } = await busyServer();
    await peer.call('work', { args: { n: 'first' } });
    await eventually(() => runs.length === 1);
    await peer.broker.close();
    const back = on().peer();
    await back.broker.connected();
    await back.loseReplyQueue();
    first.open();
    const draining = server.drain();
    await eventually(async () => (await back.broker.inspectQueue('conductor'))?.consumers === 0);
    await back.listenForReplies();
    await draining;
    expect((await back.next()).message).toMatchObject({ result: 'done' });
    expect(on().eventsOf('reply-dropped')).toEqual([]);
  });

  it('waits for an answer that is on its way when the drain begins', async () => {
    const peer = on().peer();
    const broker = on().broker();
    const sending = new Gate();
    const tried = new Gate();
    const publish = broker.publish.bind(broker);
    broker.publish = async (message) => {
      tried.open();
      await sending.opened;
      return publish(message);
    };
    const server = on().server([{ methods: { work: () => 'done' } }], {}, undefined, broker);
    await server.start();
    await peer.call('work');
    await tried.opened;
    const draining = server.drain();
    await eventually(async () => (await peer.broker.inspectQueue('conductor'))?.consumers === 0);
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    // By now nothing but this answer is waited for; its queue is missing when it gets there.
    sending.open();
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    await peer.listenForReplies();
    await draining;
    expect((await peer.next()).message).toMatchObject({ result: 'done' });
  });

  it('does not wait for callers that have gone for good', async () => {
    vi.useFakeTimers();
    const peer = on().peer();
    const starting = on().serve({ work: () => 'done' });
    await vi.advanceTimersByTimeAsync(10);
    const server = await starting;
    void peer.call('work');
    await vi.advanceTimersByTimeAsync(10);
    let ended = false;
    void server.drain().then(() => (ended = true));
    await vi.advanceTimersByTimeAsync(4900);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(ended).toBe(true);
    expect(on().eventsOf('reply-dropped')).toMatchObject([{ replyQueue: peer.replyQueue }]);
  });

  it('a server that was never started ends at once, and cannot be started', async () => {
    const server = on().server([{ methods: {} }]);
    await server.drain();
    await expect(server.start()).rejects.toBeInstanceOf(ClosedError);
  });

  it('a server that is still starting ends without consuming anything later', async () => {
    const peer = on().peer();
    await peer.broker.connected();
    const server = on().server([{ methods: {} }]);
    const starting = server.start();
    const draining = server.drain();
    await expect(starting).rejects.toBeInstanceOf(ClosedError);
    await draining;
    await eventually(async () => (await peer.broker.inspectQueue('conductor'))?.consumers === 0);
    await eventually(async () => (await peer.broker.inspectQueue(server.queues[2]!)) === undefined);
  });

  it('starting twice is one start; a failed start can be repeated', async () => {
    const peer = on().peer();
    const other = [{ kind: 'queue', name: 'conductor', durable: false, autoDelete: true, arguments: {} }] as const;
    await peer.broker.publish({ exchange: '', routingKey: 'x', body: '{}', topology: other });
    const server = on().server([{ methods: {} }]);
    await expect(server.start()).rejects.toThrow(/conductor/);
    await peer.broker.deleteQueue('conductor');
    await Promise.all([server.start(), server.start()]);
    expect(await peer.broker.inspectQueue('conductor')).toEqual({ messages: 0, consumers: 1 });
  });
});
