import { expect, it, vi } from 'vitest';
import type { OutgoingMessage } from '../../../lib/broker/broker.js';
import { eventually } from '../../support/eventually.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

it('a server whose answers do not leave takes no more calls, and goes on when they do', async () => {
  const broker = on().broker({ maxInFlightMessages: 8 });
  const methods = { echo: ({ n }: { n: number }) => n };
  const server = on().server([{ methods }], { executorThreadPoolSize: 1 }, undefined, broker);
  await server.start();
  const publish = broker.publish.bind(broker);
  const confirmed = new Gate();
  vi.spyOn(broker, 'publish').mockImplementation(async (message: OutgoingMessage) => {
    await confirmed.opened;
    return publish(message);
  });
  const client = on().client();
  const first = client.call('echo', { n: 0 });
  await eventually(() => server.counters.dispatched === 1);
  const calls = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => client.call('echo', { n }));
  await eventually(() => server.counters.dispatched === 4);
  for (let n = 0; n < 5; n += 1) await broker.inspectQueue('conductor');
  // Half of what may be in flight.
  expect(server.counters.dispatched).toBe(4);
  confirmed.open();
  expect(await Promise.all([first, ...calls])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it('what runs may take only so much memory together; what waits keeps its order', async () => {
  const broker = on().broker({ maxHeldBytes: 500_000 });
  const runs: string[] = [];
  const gates = new Map(['a', 'b', 'c', 'small'].map((name) => [name, new Gate()]));
  const hold = async ({ name }: { name: string }): Promise<string> => {
    runs.push(name);
    await gates.get(name)!.opened;
    return name;
  };
  const server = on().server([{ methods: { hold } }], {}, undefined, broker);
  await server.start();
  const client = on().client();
  const filling = 'x'.repeat(100_000);
  const calls = ['a', 'b', 'small', 'c'].map((name) =>
    client.call('hold', name === 'small' ? { name } : { name, filling }),
  );
  await eventually(() => runs.length === 1);
  for (let n = 0; n < 5; n += 1) await broker.inspectQueue('conductor');
  expect(runs).toEqual(['a']);
  gates.get('a')!.open();
  await eventually(() => runs.length === 3);
  expect(runs).toEqual(['a', 'b', 'small']);
  for (const gate of gates.values()) gate.open();
  expect(await Promise.all(calls)).toEqual(['a', 'b', 'small', 'c']);
});
