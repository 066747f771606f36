import { advanced } from '../../support/virtual-time.js';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { RawPeer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

describe('answers to a missing reply queue', () => {
  const on = useRpcBus();
  let peer: RawPeer;

  beforeEach(() => {
    vi.useFakeTimers();
    peer = on().peer();
  });

  const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

  it('are handed over when the queue is back, in order, without holding a slot', async () => {
    const starting = on().serve({ echo: ({ n }: { n: number }) => n }, { executorThreadPoolSize: 1 });
    await ms(10);
    const server = await starting;
    for (const n of [1, 2, 3]) void peer.call('echo', { args: { n } });
    await ms(2000);
    // One slot: had an answer kept it, two would still wait.
    expect(server.counters.dispatched).toBe(3);
    void peer.listenForReplies();
    await ms(300);
    expect(peer.waiting.map(({ message }) => message['result'])).toEqual([1, 2, 3]);
    expect(on().eventsOf('reply-dropped')).toEqual([]);
  });

  it('cost no more for 320 queues than for 256', async () => {
    const servers = on().broker();
    const starting = on()
      .server([{ methods: { echo: () => null } }], {}, undefined, servers)
      .start();
    await ms(10);
    await starting;
    for (let n = 0; n < 320; n += 1) void peer.call('echo', { _reply_q: `reply_of_${n}` });
    await ms(1000);
    const published = vi.spyOn(on().bus, 'publish');
    await ms(1000);
    // Four intervals of 250 ms a second.
    expect(published.mock.calls.length).toBeLessThanOrEqual(4 * 256);
    expect(published.mock.calls.length).toBeGreaterThanOrEqual(320);
  });

  it.each([
    ['that has been answered before', true],
    ['that has not', false],
  ])('of crowds of callers that are not there cost a living one %s no answer', async (_title, isKnown) => {
    const servers = on().broker({ maxInFlightBytes: 600_000 });
    const methods = { echo: ({ n }: { n: number }) => n };
    const starting = on().server([{ methods }], {}, undefined, servers).start();
    await ms(10);
    await starting;
    if (isKnown) {
      const before = on().peer();
      void before.listenForReplies();
      await ms(10);
      void before.call('echo', { args: { n: 0 } });
      await ms(10);
      void before.broker.close();
      await ms(10);
      await advanced(peer.loseReplyQueue());
    }
    const flood = (): void => {
      for (let n = 0; n < 300; n += 1) void peer.call('echo', { _reply_q: `reply_bad_${n}_${performance.now()}` });
    };
    flood();
    await ms(1);
    void peer.call('echo', { args: { n: 1 } });
    await ms(1);
    if (isKnown) flood();
    await ms(isKnown ? 2_000 : 10);
    void peer.listenForReplies();
    await ms(1_000);
    const results = peer.waiting.map(({ message }) => message['result']);
    expect(results.at(-1)).toBe(1);
    const dropped = on().eventsOf('reply-dropped');
    expect(dropped.length).toBeGreaterThan(50);
    expect(dropped.filter(({ replyQueue }) => replyQueue === peer.replyQueue)).toEqual([]);
  });

  it('are tried soon at first: most queues that are lost are back in a moment', async () => {
    const starting = on().serve({ echo: ({ n }: { n: number }) => n });
    await ms(10);
    await starting;
    void peer.call('echo', { args: { n: 1 } });
    await ms(20);
    void peer.listenForReplies();
    await ms(60);
    expect(peer.waiting.map(({ message }) => message['result'])).toEqual([1]);
  });

  it('are given up after the retry time, and then tried once', async () => {
    const starting = on().serve({ echo: ({ n }: { n: number }) => n });
    await ms(10);
    await starting;
    void peer.call('echo', { args: { n: 1 } });
    await ms(59_000);
    expect(on().eventsOf('reply-dropped')).toEqual([]);
    await ms(2000);
    expect(on().eventsOf('reply-dropped')).toMatchObject([{ replyQueue: peer.replyQueue }]);

    void peer.call('echo', { args: { n: 2 } });
    await ms(10);
    expect(on().eventsOf('reply-dropped')).toHaveLength(2);
    void peer.listenForReplies();
    await ms(10);
    void peer.call('echo', { args: { n: 3 } });
    await ms(10);
    expect(peer.waiting.map(({ message }) => message['result'])).toEqual([3]);

    // That one arrived, so the next is waited for again.
    void peer.broker.close();
    const back = on().peer();
    await ms(10);
    await advanced(back.loseReplyQueue());
    void back.call('echo', { args: { n: 4 } });
    await ms(1000);
    void back.listenForReplies();
    await ms(300);
    // The one before may have been lost with the queue.
    expect(back.waiting.map(({ message }) => message['result'])).toEqual([3, 4]);
  });

  it('are not waited for longer than their caller can wait, and do not condemn its queue', async () => {
    const starting = on().serve({ echo: ({ n }: { n: number }) => n });
    await ms(10);
    await starting;
    void peer.call('echo', { args: { n: 1 } }, { expirationMs: 6000 });
    await ms(7000);
    expect(on().eventsOf('reply-dropped')).toHaveLength(1);
    void peer.call('echo', { args: { n: 2 } }, { expirationMs: 6000 });
    await ms(1000);
    void peer.listenForReplies();
    await ms(300);
    expect(peer.waiting.map(({ message }) => message['result'])).toEqual([2]);
  });

  it('are reported once each when the server stops while one is being tried', async () => {
    const starting = on().serve({ echo: () => null });
    await ms(10);
    const server = await starting;
    for (let n = 0; n < 3; n += 1) void peer.call('echo');
    await ms(100);
    // From now on each probe is under way for longer than it rests: one is when the server waits no more.
    on().bus.delayMs = 300;
    const closing = server.close();
    await ms(9_000);
    await closing;
    expect(on().eventsOf('reply-dropped')).toHaveLength(3);
  });

  it('that were given up have no second half either', async () => {
    const starting = on().serve({ echo: () => 1 }, { legacyTwoMessageReplies: true });
    await ms(10);
    const server = await starting;
    void peer.call('echo');
    await ms(100);
    const closing = server.close();
    await ms(9_000);
    await closing;
    void peer.listenForReplies();
    await ms(1_000);
    expect(peer.waiting).toEqual([]);
    expect(on().eventsOf('reply-dropped')).toHaveLength(1);
  });

  describe('that has just been deleted', () => {
    const answer = (n: number): Promise<unknown> => (void peer.call('echo', { args: { n } }), ms(10));

    /** Each is answered before the next is asked; then the queue and its consumer go. */
    async function deletedAfter(...numbers: number[]): Promise<void> {
      const starting = on().serve({ echo: ({ n }: { n: number }) => n });
      void peer.listenForReplies();
      await ms(10);
      await starting;
      for (const n of numbers) await answer(n);
      expect(peer.waiting).toHaveLength(numbers.length);
      void peer.broker.close();
      peer = on().peer();
      await ms(10);
    }

    async function resultsAfterReturn(): Promise<unknown[]> {
      void peer.listenForReplies();
      await ms(300);
      return peer.waiting.map(({ message }) => message['result']);
    }

    it('the last one before is sent again: RabbitMQ confirms what such a queue has not taken', async () => {
      await deletedAfter(1);
      await advanced(peer.loseReplyQueue());
      await answer(2);
      expect(await resultsAfterReturn()).toEqual([1, 2]);
    });

    it('those that a later one has proven are not', async () => {
      await deletedAfter(1, 2, 3);
      await advanced(peer.loseReplyQueue());
      await answer(4);
      expect(await resultsAfterReturn()).toEqual([3, 4]);
    });

    it('nor those of long ago', async () => {
      await deletedAfter(1);
      await ms(6_000);
      await advanced(peer.loseReplyQueue());
      await answer(2);
      expect(await resultsAfterReturn()).toEqual([2]);
    });

    it('and that it cannot be sent again is no loss', async () => {
      await deletedAfter(1);
      await advanced(peer.loseReplyQueue());
      await answer(2);
      await ms(62_000);
      expect(on().eventsOf('reply-dropped')).toHaveLength(1);
    });
  });

  it('one caller’s missing queue does not delay another’s answer', async () => {
    const starting = on().serve({ echo: ({ n }: { n: number }) => n });
    await ms(10);
    await starting;
    void peer.listenForReplies();
    await ms(10);
    void peer.call('echo', { args: { n: 1 }, _reply_q: 'reply_gone' });
    void peer.call('echo', { args: { n: 2 } });
    await ms(10);
    expect(peer.waiting.map(({ message }) => message['result'])).toEqual([2]);
  });

  it('an answer that ends while the line is down is sent on the next one', async () => {
    void peer.listenForReplies();
    const { bus } = on();
    const work = (): string => (bus.interrupt(), 'finished offline');
    const starting = on().serve({ work });
    await ms(10);
    await starting;
    void peer.call('work');
    await ms(1000);
    expect(peer.waiting.map(({ message }) => message)).toMatchObject([{ result: 'finished offline', ending: true }]);
  });
});
