import { beforeEach, describe, expect, it } from 'vitest';
import { MessagingTimeout, type PrepareOptions, RemoteError, type RequestContext } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { multiplied, type Scenario } from '../../support/scenarios.js';
import type { RawDelivery, RawPeer } from '../rpc/support/raw-peer.js';
import { useRpcBus } from '../rpc/support/rpc-bus.js';

const on = useRpcBus();
let peer: RawPeer;
beforeEach(async () => {
  peer = on().peer();
});

interface Answers {
  callers: number;
  context: RequestContext;
  /** What caller `n` is answered. */
  reply(n: number): unknown;
}

const callers: Scenario<Pick<Answers, 'callers'>>[] = [
  ['one caller', { callers: 1 }],
  ['ten callers', { callers: 10 }],
];
const contexts: Scenario<Pick<Answers, 'context'>>[] = [
  ['no context', { context: {} }],
  ['a context', { context: { user: 'mark' } }],
];
const replies: Scenario<Pick<Answers, 'reply'>>[] = [
  ['each its own', { reply: (n) => ({ rx_id: n }) }],
  ['null', { reply: () => null }],
  ['an empty list', { reply: () => [] }],
  ['an empty object', { reply: () => ({}) }],
  ['false', { reply: () => false }],
  ['zero', { reply: () => 0 }],
];
const scenarios = multiplied(callers, multiplied(contexts, replies));

/** In reverse, but the first caller second from last. */
function orderOfAnswers(count: number): number[] {
  const order = Array.from({ length: count }, (_, n) => count - 1 - n);
  if (count > 1) order.push(order.splice(-2, 1)[0]!);
  return order;
}

// TestSendReceive, the caller's side: what the server does is written by hand.
describe('each of the callers gets what it was sent, whatever the order', () => {
  beforeEach(() => peer.serve());

  /** The calls, begun one after the other, and their requests. */
  async function begun({
    callers: count,
    context,
  }: Pick<Answers, 'callers' | 'context'>): Promise<{ outcomes: Promise<unknown>[]; requests: RawDelivery[] }> {
    const client = on().client();
    const requests: RawDelivery[] = [];
    const outcomes: Promise<unknown>[] = [];
    for (let n = 0; n < count; n += 1) {
      outcomes.push(client.call('foo', { tx_id: n }, { context }).catch((error: unknown) => error));
      const request = await peer.next();
      const packed = Object.entries(context).map(([key, value]) => [`_context_${key}`, value]);
      expect(request.message).toMatchObject({ args: { tx_id: n }, ...Object.fromEntries(packed) });
      requests.push(request);
    }
    return { outcomes, requests };
  }

  it.each(scenarios)('a value: %s', async (_name, { reply, ...given }) => {
    const { outcomes, requests } = await begun(given);
    for (const n of orderOfAnswers(given.callers)) {
      await peer.answer(requests[n]!, { result: reply(n) });
      expect(await outcomes[n]).toEqual(reply(n));
    }
  });

  // An expected failure looks the same on the wire.
  it.each(multiplied(callers, contexts))(
    'a failure; ours: a RemoteError with its class, as ZeroDivisionError is not registered: %s',
    async (_name, given) => {
      const { outcomes, requests } = await begun(given);
      const failure = { class: 'ZeroDivisionError', module: 'builtins', message: '', tb: [], args: [], kwargs: {} };
      for (const n of orderOfAnswers(given.callers)) {
        await peer.answer(requests[n]!, { failure: JSON.stringify(failure) });
        const outcome = await outcomes[n];
        expect(outcome).toBeInstanceOf(RemoteError);
        expect(outcome).toMatchObject({ excType: 'ZeroDivisionError', module: 'builtins' });
      }
    },
  );

  const timeouts: Scenario<{ timeouts: PrepareOptions }>[] = [
    ['a timeout', { timeouts: { timeout: 0.05 } }],
    ['a timeout and a call monitor', { timeouts: { timeout: 0.05, callMonitorTimeout: 0.02 } }],
  ];
  it.each(multiplied(callers, multiplied(contexts, timeouts)))(
    'nobody answers: %s',
    async (_name, { timeouts: settings, callers: count, context }) => {
      const client = on().client().prepare(settings);
      const calls = Array.from({ length: count }, (_, n) => client.call('foo', { tx_id: n }, { context }));
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes).toEqual(
        outcomes.map(() => ({ status: 'rejected', reason: expect.any(MessagingTimeout) as unknown })),
      );
    },
  );
});

// TestSendReceive, the server's side: the calls are written by hand.
describe('a server answers each of its callers, whatever the order', () => {
  beforeEach(() => peer.listenForReplies());

  it.each(scenarios)('a value: %s', async (_name, { callers: count, context, reply }) => {
    const ends = new Map<number, (value: unknown) => void>();
    const foo = ({ tx_id: n }: { tx_id: number }): Promise<unknown> =>
      new Promise((resolve) => void ends.set(n, resolve));
    await on().serve({ foo });
    const packed = Object.fromEntries(Object.entries(context).map(([key, value]) => [`_context_${key}`, value]));
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) ids.push(await peer.call('foo', { args: { tx_id: n }, ...packed }));
    await eventually(() => ends.size === count);
    for (const n of orderOfAnswers(count)) {
      ends.get(n)!(reply(n));
      expect((await peer.next()).message).toEqual({
        result: reply(n),
        failure: null,
        ending: true,
        _msg_id: ids[n],
        _unique_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      });
    }
  });
});

// TestRacyWaitForReply.
describe('an answer that comes while another is waited for', () => {
  it('reaches its own caller', async () => {
    await peer.serve();
    const client = on().client();
    const order: unknown[] = [];
    const calling = [0, 1].map((n) => client.call('foo', { tx_id: n }).then((result) => void order.push(result)));
    const requests = [await peer.next(), await peer.next()];
    await peer.answer(requests[1]!, { result: { rx_id: 1 } });
    await calling[1];
    expect(order).toEqual([{ rx_id: 1 }]);
    await peer.answer(requests[0]!, { result: { rx_id: 0 } });
    await calling[0];
    expect(order).toEqual([{ rx_id: 1 }, { rx_id: 0 }]);
  });

  it('a request without _msg_id is not answered, though it names a reply queue', async () => {
    const queue = 'reply_of_nobody';
    on().bus.declare([{ kind: 'queue', name: queue, durable: false, autoDelete: false, arguments: {} }]);
    await peer.listenForReplies();
    await on().serve({ foo: ({ tx_id }: { tx_id: number }) => ({ rx_id: tx_id }) });
    await peer.cast('foo', { args: { tx_id: 2 }, _reply_q: queue });
    expect(await peer.ask('foo', { args: { tx_id: 3 } })).toMatchObject({ result: { rx_id: 3 } });
    expect(on().bus.messagesIn(queue)).toEqual([]);
  });
});
