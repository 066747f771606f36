import { describe, expect, it } from 'vitest';
import type { OutgoingReply } from '../../../lib/rpc/server/replies/outgoing-reply.js';
import { WaitingAnswers } from '../../../lib/rpc/server/replies/waiting-answers.js';

/** An answer of 988 characters counts 3000 bytes. */
function answer(replyQueue: string, msgId = '1'): OutgoingReply {
  return { replyQueue, msgId, method: 'm', body: 'x'.repeat(988), giveUpAt: Infinity, instead: undefined };
}

const room = (answers: number): WaitingAnswers => new WaitingAnswers(answers * 3000);
const kept = (store: WaitingAnswers, queue: string): string[] =>
  store.find(queue)?.answers.map(({ msgId }) => msgId) ?? [];

describe('where the room for waiting answers is full', () => {
  it('queues that never took an answer push out each other, the oldest first', () => {
    const store = room(10);
    store.hold(answer('living', 'a'), true);
    const pushedOut = Array.from({ length: 10_000 }, (_, n) => store.hold(answer(`bad ${n}`), false)).flat();
    expect(pushedOut.map(({ replyQueue }) => replyQueue).slice(0, 2)).toEqual(['bad 0', 'bad 1']);
    expect(pushedOut).toHaveLength(9_991);
    expect(kept(store, 'living')).toEqual(['a']);
    expect(store.size).toBe(10);
    expect(store.find('bad 0')).toBeUndefined();
  });

  it('a living caller has its share, though others came first', () => {
    const store = room(10);
    for (let n = 0; n < 10; n += 1) store.hold(answer(`bad ${n}`), false);
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      expect(store.hold(answer('living', id), true)).toMatchObject([{ replyQueue: expect.stringContaining('bad') }]);
    }
    expect(store.hold(answer('living', 'f'), true)).toMatchObject([{ msgId: 'a' }]);
    expect(kept(store, 'living')).toEqual(['b', 'c', 'd', 'e', 'f']);
  });

  it('one queue gives way to others, down to an equal share', () => {
    const store = room(9);
    for (const id of '123456789') store.hold(answer('greedy', id), true);
    for (const id of '123') store.hold(answer('modest', id), true);
    for (const id of '123') store.hold(answer('stranger', id), false);
    expect(kept(store, 'greedy')).toEqual(['7', '8', '9']);
    expect([kept(store, 'modest'), kept(store, 'stranger')]).toEqual([
      ['1', '2', '3'],
      ['1', '2', '3'],
    ]);
  });

  it('what is larger than all the room is not kept, and its queue is not missed', () => {
    const store = new WaitingAnswers(2999);
    expect(store.hold(answer('living'), true)).toMatchObject([{ replyQueue: 'living' }]);
    expect([store.size, store.find('living')]).toEqual([0, undefined]);
  });
});

it('is empty when all has been taken, and then has all its room again', () => {
  const store = room(4);
  for (const queue of ['a', 'b']) for (const id of ['1', '2']) store.hold(answer(queue, id), queue === 'a');
  expect(store.takeExpired(store.find('a')!, 0)).toEqual([]);
  for (const queue of store.queues) expect(store.take(queue)).toHaveLength(2);
  expect([store.size, store.queues]).toEqual([0, []]);
  expect(['1', '2', '3', '4'].flatMap((id) => store.hold(answer('c', id), true))).toEqual([]);
});
