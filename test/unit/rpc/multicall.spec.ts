import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type IncomingRequest,
  MessagingTimeout,
  multicall,
  RemoteError,
  type RpcEndpoint,
} from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import type { RawDelivery, RawPeer } from './support/raw-peer.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const value of values) taken.push(value);
  return taken;
}

describe('a handler of several answers', () => {
  let caller: RawPeer;

  beforeEach(async () => {
    caller = on().peer();
    await caller.listenForReplies();
  });

  /** What a call is answered with, up to the reply that is the last. */
  async function repliesTo(method: string, fields: Record<string, unknown> = {}): Promise<unknown[][]> {
    const msgId = await caller.call(method, fields);
    const replies: unknown[][] = [];
    for (;;) {
      const { message } = await caller.next();
      expect(message['_msg_id']).toBe(msgId);
      const { failure } = message;
      replies.push([
        message['result'],
        message['ending'],
        typeof failure === 'string' ? JSON.parse(failure).class : failure,
      ]);
      if (message['ending']) return replies;
    }
  }

  const list = multicall(async function* ({ names }: { names: unknown[] }) {
    for (const name of names) yield name;
  });

  it('sends each, and then an empty reply that is the last', async () => {
    await on().serve({ list });
    expect(await repliesTo('list', { args: { names: ['a', ['b', 2], false, ''] } })).toEqual([
      ['a', false, null],
      [['b', 2], false, null],
      [false, false, null],
      ['', false, null],
      [null, true, null],
    ]);
    expect(await repliesTo('list', { args: { names: [] } })).toEqual([[null, true, null]]);
  });

  it('sends no null: it would be a heartbeat', async () => {
    await on().serve({ list });
    expect(await repliesTo('list', { args: { names: [null, 1, null, undefined] } })).toEqual([
      [1, false, null],
      [null, true, null],
    ]);
  });

  it.each([
    [
      'a generator that is not asynchronous',
      multicall(function* () {
        yield* [1, 2];
      }),
      [1, 2],
    ],
    ['a promise of a generator', multicall(async () => [1, 2].values()), [1, 2]],
    ['a list, which is one value', multicall(() => [1, 2]), [[1, 2]]],
    ['text, which is one value', multicall(async () => 'ab'), ['ab']],
    ['nothing', multicall(() => undefined), []],
  ] as const)('may return %s', async (_what, handler, values) => {
    await on().serve({ handler });
    const replies = await repliesTo('handler');
    expect(replies).toEqual([...values.map((value) => [value, false, null]), [null, true, null]]);
  });

  it('that fails is a failure after the values before it', async () => {
    const failing = multicall(async function* () {
      yield 1;
      throw new RangeError('no more');
    });
    await on().serve({ failing });
    expect(await repliesTo('failing')).toEqual([
      [1, false, null],
      [null, true, 'ValueError'],
    ]);
    expect(on().eventsOf('handler-failed')).toMatchObject([{ method: 'failing', isCall: true }]);
  });

  it('that yields what cannot be written fails, and is ended', async () => {
    const ended = vi.fn<() => void>();
    const odd = multicall(function* () {
      try {
        yield 1;
        const circle: unknown[] = [];
        circle.push(circle);
        yield circle;
        yield 2;
      } finally {
        ended();
      }
    });
    await on().serve({ odd });
    expect(await repliesTo('odd')).toEqual([
      [1, false, null],
      [null, true, expect.any(String)],
    ]);
    expect(ended).toHaveBeenCalledOnce();
  });

  it('keeps the null message apart for peers of the age of two', async () => {
    const failing = multicall(function* () {
      yield 1;
      throw new RangeError('no more');
    });
    await on().serve({ list, failing }, { legacyTwoMessageReplies: true });
    // The first message of two does not say whether it is the last, and for null the last is enough.
    expect(await repliesTo('list', { args: { names: [1] } })).toEqual([
      [1, undefined, null],
      [null, true, null],
    ]);
    expect(await repliesTo('failing')).toEqual([
      [1, undefined, null],
      [null, undefined, 'ValueError'],
      [null, true, null],
    ]);
  });

  it('runs to its end for a cast, and answers nothing', async () => {
    const seen: number[] = [];
    const counted = multicall(async function* () {
      for (const n of [1, 2, 3]) {
        seen.push(n);
        yield n;
      }
    });
    await on().serve({ counted });
    await caller.cast('counted');
    await eventually(() => seen.length === 3);
    expect(caller.waiting).toEqual([]);
  });

  it('is asked for the next value when the last is with the broker', async () => {
    const asked: number[] = [];
    const broker = on().broker();
    const endless = multicall(function* () {
      for (let n = 0; ; n += 1) {
        asked.push(n);
        yield n;
      }
    });
    const server = on().server([{ methods: { endless } }], { shutdownTimeoutMs: 0 }, undefined, broker);
    await server.start();
    const gate = new Gate();
    const publish = broker.publish.bind(broker);
    vi.spyOn(broker, 'publish').mockImplementation(async (message) => {
      if (asked.length === 3) await gate.opened;
      await publish(message);
    });
    await caller.call('endless');
    await eventually(() => asked.length === 3);
    for (let n = 0; n < 3; n += 1) await new Promise(setImmediate);
    expect(asked).toEqual([0, 1, 2]);
    gate.open();
    await eventually(() => asked.length > 3);
    await server.close();
  });

  it('is ended when its caller’s queue is gone for too long', async () => {
    vi.useFakeTimers();
    const ended = vi.fn<() => void>();
    const endless = multicall(async function* () {
      try {
        for (let n = 0; ; n += 1) yield n;
      } finally {
        ended();
      }
    });
    const starting = on().serve({ endless });
    await vi.advanceTimersByTimeAsync(10);
    await starting;
    void caller.call('endless', { _reply_q: 'reply_gone' });
    await vi.advanceTimersByTimeAsync(50_000);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(12_000);
    expect(ended).toHaveBeenCalledOnce();
    expect(on().eventsOf('reply-dropped')).toHaveLength(1);
  });

  it('fails at its deadline', async () => {
    let seen: IncomingRequest | undefined;
    const endless = multicall(async function* (_args: object, request: IncomingRequest) {
      seen = request;
      for (let n = 0; ; n += 1) yield n;
    });
    await on().serve({ endless });
    await caller.call('endless', {}, { expirationMs: 300 });
    await eventually(() => caller.waiting.at(-1)?.message['ending'] === true);
    expect(seen?.signal.aborted).toBe(true);
    expect(String(caller.waiting.at(-1)?.message['failure'])).toContain('given up waiting');
  });

  it('passes each value through the serializer', async () => {
    const serializer = {
      serializeEntity: (_context: unknown, entity: unknown) => `<${String(entity)}>`,
      deserializeEntity: (_context: unknown, entity: unknown) => entity,
      serializeContext: (context: object) => context,
      deserializeContext: (context: object) => context,
    };
    await on().serve({ list }, { serializer } as never);
    const replies = await repliesTo('list', { args: { names: [1, 2] } });
    expect(replies.map(([result]) => result).slice(0, 2)).toEqual(['<1>', '<2>']);
  });
});

describe('a call for several values', () => {
  let server: RawPeer;

  beforeEach(async () => {
    server = on().peer();
    await server.serve();
  });

  it('gives each, in order, until the last reply', async () => {
    const taking = all(on().client().multicall('list', { first: 1 }));
    const request = await server.next();
    expect(request.message).toMatchObject({ method: 'list', args: { first: 1 }, _msg_id: expect.any(String) });
    for (const result of ['a', { b: [2] }, false, 0]) await server.answer(request, { result, ending: false });
    await server.answer(request);
    expect(await taking).toEqual(['a', { b: [2] }, false, 0]);
  });

  it('gives the one of a server that has one, and none for None', async () => {
    const client = on().client();
    for (const [result, values] of [
      ['one', ['one']],
      [null, []],
    ]) {
      const taking = all(client.multicall('list'));
      await server.answer(await server.next(), { result });
      expect(await taking).toEqual(values);
    }
  });

  it('fails after the values before it', async () => {
    const taken: unknown[] = [];
    const taking = (async () => {
      for await (const value of on().client().multicall('list')) taken.push(value);
    })().catch((error: unknown) => error);
    const request = await server.next();
    await server.answer(request, { result: 1, ending: false });
    const failure = { class: 'Odd', module: 'somewhere', message: 'no more', tb: [], args: [], kwargs: {} };
    await server.answer(request, { failure: JSON.stringify(failure) });
    const error = await taking;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ remoteMessage: 'no more' });
    expect(taken).toEqual([1]);
  });

  it('gives one that came twice once', async () => {
    const taking = all(on().client().multicall('list'));
    const request = await server.next();
    for (const [result, id] of [
      [1, 'a'],
      [2, 'b'],
      [1, 'a'],
      [2, 'b'],
      [2, 'c'],
    ]) {
      await server.answer(request, { result, ending: false, _unique_id: id });
    }
    await server.answer(request);
    expect(await taking).toEqual([1, 2, 2]);
  });

  it('is made when the first value is asked for, and forgotten when the loop is left', async () => {
    const client = on().client();
    const values = client.multicall('list')[Symbol.asyncIterator]();
    expect(client.pendingCalls).toBe(0);
    const first = values.next();
    await server.answer(await server.next(), { result: 1, ending: false });
    expect(await first).toEqual({ value: 1, done: false });
    expect(client.pendingCalls).toBe(1);
    await values.return?.();
    expect(client.pendingCalls).toBe(0);
  });

  it('times out as a whole, and a value is a sign of life', async () => {
    vi.useFakeTimers();
    const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);
    const client = on().client({ timeout: 10, callMonitorTimeout: 2 });
    const taken: unknown[] = [];
    const taking = (async () => {
      for await (const value of client.multicall('list')) taken.push(value);
    })().catch((error: unknown) => error);
    await ms(10);
    const request: RawDelivery = await server.next();
    for (let n = 0; n < 5; n += 1) {
      void server.answer(request, { result: n, ending: false });
      await ms(1_500);
    }
    expect(taken).toEqual([0, 1, 2, 3, 4]);
    await ms(600);
    const error = await taking;
    expect(error).toBeInstanceOf(MessagingTimeout);
    expect(error).toMatchObject({ diagnosis: { waitedFor: 'heartbeat' } });
  });

  it('ends with its signal', async () => {
    const abort = new AbortController();
    const taking = all(on().client().multicall('list', {}, { signal: abort.signal }));
    await server.next();
    abort.abort(new Error('enough'));
    await expect(taking).rejects.toThrow('enough');
  });

  it('fails where values come faster than they are taken, at 10 000', async () => {
    const client = on().client();
    const values = client.multicall('list')[Symbol.asyncIterator]();
    const first = values.next();
    const request = await server.next();
    await server.answer(request, { result: 0, ending: false });
    expect(await first).toEqual({ value: 0, done: false });
    const more = (result: number): Promise<void> => server.answer(request, { result, ending: false });
    for (let n = 0; n < 10_001; n += 137) {
      await Promise.all(Array.from({ length: Math.min(137, 10_001 - n) }, (_, at) => more(n + at)));
    }
    await eventually(() => client.pendingCalls === 0);
    let count = 0;
    const rest = (async () => {
      for (let one = await values.next(); !one.done; one = await values.next()) count += 1;
    })();
    await expect(rest).rejects.toThrow('10000 values wait');
    expect(count).toBe(10_000);
  });

  it('shows the line that made it', async () => {
    const client = on().client();
    await client.close();
    async function caller(): Promise<unknown> {
      return all(client.multicall('list'));
    }
    const error = (await caller().catch((thrown: unknown) => thrown)) as Error;
    expect(error.stack).toContain('caller');
  });
});

it('one call of a method of several gives the last', async () => {
  const methods: RpcEndpoint['methods'] = { list: multicall(() => [1, 2, 3].values()) };
  await on().serve(methods);
  expect(await on().client().call('list')).toBe(3);
});
