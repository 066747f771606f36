import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { useRpcEnds } from '../../interop/support/rpc-ends.js';
import { eventually } from '../../support/eventually.js';
import { mutants } from '../../support/mutations.js';
import { useVhost } from '../../support/rabbit.js';
import { MutantPublisher } from './mutant-publisher.js';
import { EventCounts, heapMiB, inRounds, LONGEST_MS, MUTANTS } from './rounds.js';

const GOOD_PER_ROUND = 25;

const vhost = useVhost();
const ours = useRpcEnds(() => vhost.url);
const target = { exchange: 'nova', topic: 'conductor' };
let mutant: MutantPublisher;
beforeAll(async () => void (mutant = await MutantPublisher.connect(vhost.amqpUrl)));
afterAll(() => mutant.close());

const echo = (args: object): object => args;
const good = (round: number): object[] =>
  Array.from({ length: GOOD_PER_ROUND }, (_, n) => ({ round, n, text: `žluť ${n}` }));

async function isDone(name: string): Promise<boolean> {
  const queue = await vhost.queue(name);
  return queue?.messagesReady === 0 && queue.messagesUnacknowledged === 0 && queue.consumers === 1;
}

/** Requests, and some of what never belongs into their queue. */
const requests = fc.oneof({ weight: 4, arbitrary: mutants('rpc_') }, { weight: 1, arbitrary: mutants() });

it(
  'a server answers every good request among mutants, and counts each bad one',
  async () => {
    const server = await ours.serve({ ...target, server: 'host1' }, [
      { methods: { echo } },
      { namespace: 'ns', version: '1.5', methods: { echo } },
    ]);
    const client = ours.client(target, { timeout: 30 });
    await client.call('echo', { warm: 'up' });
    const events = new EventCounts();
    const heap: number[] = [];
    let answered = 1;
    await inRounds(async (round, count, seed) => {
      const sent = mutant.send(count, requests, seed, 'nova', 'conductor');
      expect(await Promise.all(good(round).map((args) => client.call('echo', { ...args })))).toEqual(good(round));
      answered += GOOD_PER_ROUND;
      await sent;
      events.take(ours.events);
      heap.push(heapMiB());
    });
    await eventually(() => isDone('conductor'));
    events.take(ours.events);
    const { dispatched, duplicates, expired, rejected } = server.counters;
    expect(rejected).toBe(events.of('message-rejected'));
    expect(dispatched - answered + duplicates + expired + rejected).toBe(MUTANTS);
    for (const many of [dispatched - answered, rejected]) expect(many).toBeGreaterThan(MUTANTS / 100);
    expect([events.of('consumers-lost'), events.of('ack-lost')]).toEqual([0, 0]);
    expect(await client.call('echo', { still: 'here' })).toEqual({ still: 'here' });
    expect(heap.at(-1)! - heap[Math.floor(heap.length / 4)]!).toBeLessThan(100);
  },
  LONGEST_MS,
);

it(
  'a client gets its answers through mutated replies, and counts each',
  async () => {
    const client = ours.client(target, { timeout: 30 });
    await client.call('echo', { warm: 'up' });
    ours.events.length = 0;
    const events = new EventCounts();
    await inRounds(async (round, count, seed) => {
      const sent = mutant.send(count, mutants('reply_'), seed, '', client.replyQueue);
      expect(await Promise.all(good(round).map((args) => client.call('echo', { ...args })))).toEqual(good(round));
      await sent;
      events.take(ours.events);
    });
    await eventually(() => isDone(client.replyQueue));
    events.take(ours.events);
    const { unknownReplies, lateReplies, malformedReplies, heartbeats, repeatedReplies } = client.counters;
    expect(malformedReplies).toBe(events.of('message-rejected'));
    expect(unknownReplies + lateReplies + malformedReplies + heartbeats + repeatedReplies).toBe(MUTANTS);
    for (const many of [unknownReplies, malformedReplies]) expect(many).toBeGreaterThan(MUTANTS / 100);
    expect(events.of('consumers-lost')).toBe(0);
    expect(await client.call('echo', { still: 'here' })).toEqual({ still: 'here' });
    expect(client.pendingCalls).toBe(0);
  },
  LONGEST_MS,
);
