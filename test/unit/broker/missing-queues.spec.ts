import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryBus } from '../../../lib/broker/memory/memory-bus.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { queue } from '../../behaviour/declarations.js';
import { MemoryBroker } from '../../support/memory-broker.js';

/** Half of `maxInFlightBytes` is there for them; one of 988 characters counts 3000 bytes. */
const roomFor = (answers: number): number => 2 * 3000 * answers;
const text = (id: string): string => id.padEnd(988, '.');

let bus: MemoryBus;
let broker: MemoryBroker;
let givenUp: string[];

beforeEach(() => {
  vi.useFakeTimers();
  bus = new MemoryBus();
  givenUp = [];
});
afterEach(async () => {
  const closing = broker.close();
  await vi.advanceTimersByTimeAsync(10_000);
  await closing;
  vi.useRealTimers();
});

async function opened(maxInFlightBytes: number): Promise<void> {
  broker = new MemoryBroker(bus, resolveRabbitOptions({ maxInFlightBytes }));
  const connected = broker.connected();
  await vi.advanceTimersByTimeAsync(10);
  await connected;
}

/** Each is sent, and returned, before the next. */
async function answers(replyQueue: string, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    const message = { exchange: '', routingKey: replyQueue, body: text(id), giveUpMs: 30_000 };
    broker
      .publish({ ...message, purpose: 'owed', awaitQueue: true })
      .catch((error: Error) => void (error.message.includes('too many') && givenUp.push(`${replyQueue} ${id}`)));
    await vi.advanceTimersByTimeAsync(1);
  }
}

/** It has taken an answer once. */
async function known(name: string): Promise<void> {
  bus.declare([queue(name)]);
  await answers(name, 'before');
  bus.deleteQueue(name);
  // What may have been lost with it is sent again no more.
  await vi.advanceTimersByTimeAsync(6_000);
}

/** What comes when the queue is there at last. */
async function arrivedIn(name: string): Promise<string[]> {
  bus.declare([queue(name)]);
  await vi.advanceTimersByTimeAsync(1_000);
  return bus.messagesIn(name).map(({ content }) => content.toString().replaceAll('.', ''));
}

describe('where the room for answers to missing queues is full', () => {
  it('queues that never took one push out each other, the oldest first', async () => {
    await opened(roomFor(10));
    await known('living');
    await answers('living', 'a');
    for (let n = 0; n < 100; n += 1) await answers(`bad ${n}`, 'x');
    expect(givenUp.slice(0, 2)).toEqual(['bad 0 x', 'bad 1 x']);
    expect(givenUp).toHaveLength(91);
    expect(await arrivedIn('living')).toEqual(['a']);
  });

  it('a living caller has its share, though others came first', async () => {
    await opened(roomFor(10));
    await known('living');
    for (let n = 0; n < 10; n += 1) await answers(`bad ${n}`, 'x');
    await answers('living', 'a', 'b', 'c', 'd', 'e');
    expect(givenUp).toEqual([0, 1, 2, 3, 4].map((n) => `bad ${n} x`));
    await answers('living', 'f');
    expect(givenUp.slice(5)).toEqual(['living a']);
    expect(await arrivedIn('living')).toEqual(['b', 'c', 'd', 'e', 'f']);
  });

  it('one queue gives way to others, down to an equal share', async () => {
    await opened(roomFor(9));
    await known('greedy');
    await known('modest');
    await answers('greedy', ...'123456789');
    await answers('modest', ...'123');
    await answers('stranger', ...'123');
    expect(givenUp).toEqual([...'123456'].map((id) => `greedy ${id}`));
    expect(await arrivedIn('greedy')).toEqual(['7', '8', '9']);
    expect(await arrivedIn('modest')).toEqual(['1', '2', '3']);
    expect(await arrivedIn('stranger')).toEqual(['1', '2', '3']);
  });

  it('what is larger than all the room is given up', async () => {
    await opened(roomFor(1) - 2);
    await answers('living', 'a');
    expect(givenUp).toEqual(['living a']);
  });

  it('and all of it is there again when the queues have come', async () => {
    await opened(roomFor(4));
    await answers('first', '1', '2');
    await answers('second', '1', '2');
    await arrivedIn('first');
    await arrivedIn('second');
    await known('third');
    await answers('third', '1', '2', '3', '4');
    expect(givenUp).toEqual([]);
  });
});

it('what waits keeps its order, whatever was tried meanwhile', async () => {
  await opened(roomFor(100));
  await answers('late', 'a', 'b', 'c');
  await vi.advanceTimersByTimeAsync(2_000);
  await answers('late', 'd');
  expect(await arrivedIn('late')).toEqual(['a', 'b', 'c', 'd']);
});

it('requests keep theirs as well', async () => {
  await opened(roomFor(100));
  const request = (body: string): void =>
    void broker
      .publish({ exchange: '', routingKey: 'topic', body, awaitQueue: true, giveUpMs: 30_000 })
      .catch((error: Error) => givenUp.push(error.message));
  bus.declare([queue('topic')]);
  request('known');
  await vi.advanceTimersByTimeAsync(10);
  bus.deleteQueue('topic');
  for (const body of ['a', 'b', 'c']) request(body);
  await vi.advanceTimersByTimeAsync(2_000);
  request('d');
  expect(await arrivedIn('topic')).toEqual(['a', 'b', 'c', 'd']);
  expect(givenUp).toEqual([]);
});
