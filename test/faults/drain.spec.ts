import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBroker, RpcClient, RpcServer } from '../../lib/index.js';
import type { Broker } from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';

const SLOTS = 64;
const QUEUED = 1_000;
const vhost = useVhost();
const brokers: Broker[] = [];

function broker(): Broker {
  const opened = createBroker(vhost.url);
  brokers.push(opened);
  return opened;
}

/** Handlers begin and end when the test says so. */
class Doors {
  readonly began: number[] = [];
  private readonly waiting: (() => void)[] = [];
  private open = false;

  pass = async ({ n }: { n: number }): Promise<number> => {
    this.began.push(n);
    if (!this.open) await new Promise<void>((pass) => this.waiting.push(pass));
    return n;
  };

  unlock(): void {
    this.open = true;
    for (const pass of this.waiting.splice(0)) pass();
  }
}

const target = { exchange: 'nova', topic: 'drained' };
const [leaving, staying] = [new Doors(), new Doors()];
let [first, sibling]: RpcServer[] = [];

beforeAll(async () => {
  first = new RpcServer(broker(), { ...target, server: 'first' }, [{ methods: { work: leaving.pass } }]);
  await first.start();
});
afterAll(async () => {
  await Promise.all([first?.close(), sibling?.close()]);
  await Promise.all(brokers.map((each) => each.close()));
});

it('with 64 running and 1 000 queued requests, each is answered, by the leaving server or its sibling, once', async () => {
  const client = new RpcClient(broker(), target, { timeout: 60 });
  const calls = Array.from({ length: SLOTS + QUEUED }, (_, n) => client.call<number>('work', { n }));
  await eventually(() => leaving.began.length === SLOTS);
  await eventually(async () => {
    const queue = await vhost.queue('drained');
    return queue && queue.messagesReady + queue.messagesUnacknowledged === QUEUED;
  });
  sibling = new RpcServer(broker(), { ...target, server: 'sibling' }, [{ methods: { work: staying.pass } }]);
  staying.unlock();
  await sibling.start();

  const drained = first!.drain();
  await eventually(async () => (await vhost.listConsumers()).every(({ queue }) => queue !== 'drained.first'));
  leaving.unlock();

  expect((await Promise.all(calls)).toSorted((a, b) => a - b)).toEqual([...calls.keys()]);
  await drained;
  expect(leaving.began.length).toBe(SLOTS);
  expect([...leaving.began, ...staying.began].toSorted((a, b) => a - b)).toEqual([...calls.keys()]);
  expect(first!.counters).toMatchObject({ dispatched: SLOTS, drained: 0, duplicates: 0 });
  await client.close();
});
