import { describe, expect, it } from 'vitest';
import type { RpcEndpoint } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

describe('a request runs at most once', () => {
  const on = useRpcBus();

  it('it is out of the queue before its handler starts', async () => {
    const peer = on().peer();
    const runs: number[] = [];
    const { bus } = on();
    const server = await on().serve({
      // The line breaks at once: what was not acknowledged by now comes again.
      work: ({ n }: { n: number }) => (runs.push(n), n === 1 ? bus.interrupt() : undefined),
    });
    await peer.cast('work', { args: { n: 1 } });
    await eventually(() => runs.length === 1);
    await peer.cast('work', { args: { n: 2 } });
    await eventually(() => runs.includes(2));
    expect(runs).toEqual([1, 2]);
    expect(server.counters).toMatchObject({ dispatched: 2, redelivered: 0 });
  });

  /** A server whose acknowledgements are written when the test says so. */
  async function serveSlowly(methods: RpcEndpoint['methods']): Promise<((left: boolean) => void)[]> {
    const broker = on().broker();
    const held: ((left: boolean) => void)[] = [];
    const consume = broker.consume.bind(broker);
    broker.consume = (request) =>
      consume({
        ...request,
        onDeliveries: (deliveries, subscription) =>
          request.onDeliveries(deliveries, {
            ...subscription,
            flush: (written) => void (written && held.push(written)),
          }),
      });
    await on().server([{ methods }], {}, undefined, broker).start();
    return held;
  }

  it('its acknowledgement has left this process before its handler starts', async () => {
    const ran: number[] = [];
    const held = await serveSlowly({ work: ({ n }: { n: number }): unknown => ran.push(n) });
    await on()
      .peer()
      .cast('work', { args: { n: 1 } });
    await eventually(() => held.length === 1);
    expect(ran).toEqual([]);
    held[0]!(true);
    expect(ran).toEqual([1]);
  });

  it('one whose acknowledgement could not leave is not run, and is no duplicate when it comes again', async () => {
    const ran: number[] = [];
    const held = await serveSlowly({ work: ({ n }: { n: number }): unknown => ran.push(n) });
    const peer = on().peer();
    const request = { args: { n: 1 }, _unique_id: 'f'.repeat(32) };
    await peer.cast('work', request);
    await eventually(() => held.length === 1);
    held[0]!(false);
    await peer.cast('work', request);
    await eventually(() => held.length === 2);
    expect(ran).toEqual([]);
    held[1]!(true);
    expect(ran).toEqual([1]);
  });

  it('a fanout runs once for each service of its topic, whatever their exchange', async () => {
    const ran: string[] = [];
    const endpointOf = (exchange: string) => ({ exchange, methods: { work: () => void ran.push(exchange) } });
    await on()
      .server([endpointOf('nova'), endpointOf('cinder')])
      .start();
    await on().peer().cast('work', {}, { exchange: 'conductor_fanout', routingKey: '' });
    await eventually(() => ran.length === 2);
    expect(ran.toSorted()).toEqual(['cinder', 'nova']);
  });

  it('what waits for a slot stays the broker’s, and goes to a sibling when this server dies', async () => {
    const peer = on().peer();
    const order: string[] = [];
    const first = new Gate();
    const holder = on().broker();
    const work = ({ n }: { n: number }): Promise<void> => (order.push(`first ${n}`), first.opened);
    const hoarder = on().server([{ methods: { work } }], { executorThreadPoolSize: 1 }, undefined, holder);
    await hoarder.start();
    for (const n of [1, 2, 3]) await peer.cast('work', { args: { n } });
    await eventually(() => order.length === 1);

    await holder.close();
    await on().serve({ work: ({ n }: { n: number }) => void order.push(`sibling ${n}`) });
    await eventually(() => order.length === 3);
    expect(order).toEqual(['first 1', 'sibling 2', 'sibling 3']);
    first.open();
  });

  it('one line for all queues: first in, first out, as many at a time as there are slots', async () => {
    const peer = on().peer();
    const running: string[] = [];
    const gates = new Map<string, Gate>();
    const work = ({ n }: { n: string }): Promise<void> => {
      running.push(n);
      const gate = new Gate();
      gates.set(n, gate);
      return gate.opened;
    };
    await on().serve({ work }, { executorThreadPoolSize: 2 });
    await peer.cast('work', { args: { n: 'topic 1' } });
    await peer.cast('work', { args: { n: 'server 2' } }, { routingKey: 'conductor.host1' });
    await peer.cast('work', { args: { n: 'fanout 3' } }, { exchange: 'conductor_fanout', routingKey: '' });
    await peer.cast('work', { args: { n: 'topic 4' } });
    await eventually(() => running.length === 2);
    expect(running).toEqual(['topic 1', 'server 2']);
    gates.get('server 2')!.open();
    await eventually(() => running.length === 3);
    expect(running[2]).toBe('fanout 3');
    gates.get('topic 1')!.open();
    await eventually(() => running.length === 4);
    expect(running[3]).toBe('topic 4');
  });

  it('holds no more than the prefetch of a queue, so that siblings get the rest', async () => {
    const peer = on().peer();
    const blocked = new Gate();
    await on().serve({ work: () => blocked.opened }, { executorThreadPoolSize: 2 });
    for (let i = 0; i < 10; i += 1) await peer.cast('work');
    // Two run, and two are held.
    await eventually(async () => (await peer.broker.inspectQueue('conductor'))?.messages === 6);
    blocked.open();
    await eventually(async () => (await peer.broker.inspectQueue('conductor'))?.messages === 0);
  });

  it('what was held when the line broke comes again, and runs once', async () => {
    const peer = on().peer();
    const runs: number[] = [];
    const first = new Gate();
    const server = await on().serve(
      { work: ({ n }: { n: number }) => (runs.push(n), n === 1 ? first.opened : undefined) },
      { executorThreadPoolSize: 1 },
    );
    for (const n of [1, 2, 3]) await peer.cast('work', { args: { n } });
    await eventually(() => runs.length === 1);
    on().bus.interrupt();
    first.open();
    await eventually(() => runs.length >= 3);
    await server.drain();
    expect(runs).toEqual([1, 2, 3]);
    expect(server.counters).toMatchObject({ dispatched: 3, duplicates: 0 });
  });

  describe('duplicates', () => {
    it('are acknowledged, dropped and reported, also across queues', async () => {
      const peer = on().peer();
      const runs: string[] = [];
      const server = await on().serve({ work: ({ n }: { n: string }) => void runs.push(n) });
      await peer.cast('work', { args: { n: 'a' }, _unique_id: 'same' });
      await peer.cast('work', { args: { n: 'b' }, _unique_id: 'same' }, { routingKey: 'conductor.host1' });
      await peer.cast('work', { args: { n: 'c' }, _unique_id: 'other' });
      await eventually(() => runs.length === 2);
      expect(runs).toEqual(['a', 'c']);
      expect(server.counters).toMatchObject({ dispatched: 2, duplicates: 1 });
      expect(on().eventsOf('request-dropped')).toMatchObject([{ reason: 'duplicate', uniqueId: 'same' }]);
      expect(await peer.broker.inspectQueue('conductor.host1')).toMatchObject({ messages: 0 });
    });

    it('a request without an id is never one', async () => {
      const peer = on().peer();
      const runs: number[] = [];
      await on().serve({ work: () => void runs.push(1) });
      await peer.cast('work', { _unique_id: undefined });
      await peer.cast('work', { _unique_id: undefined });
      await eventually(() => runs.length === 2);
    });
  });
});
