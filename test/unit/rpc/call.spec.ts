import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MessageUndeliverable, MessagingTimeout, type RpcClientOptions } from '../../../lib/index.js';
import { capturesOf, type Capture } from '../../golden/read-golden.js';
import type { RawPeer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

const HEX = expect.stringMatching(/^[0-9a-f]{32}$/);

describe('a call', () => {
  const on = useRpcBus();
  let peer: RawPeer;

  beforeEach(async () => {
    peer = on().peer();
    await peer.serve();
  });

  describe('on the wire', () => {
    const captures: [string, Capture, RpcClientOptions][] = [
      ...capturesOf('rpc_call.').map(([name, capture]) => [name, capture, {}] as const),
      ...capturesOf('rpc_call_null_namespace').map(([name, capture]) => [name, capture, {}] as const),
      ...capturesOf('rpc_call_monitor').map(([name, capture]) => [name, capture, { callMonitorTimeout: 4 }] as const),
    ].map(([name, capture, options]) => {
      return [name, capture, { ...options, timeout: Number(capture.properties['expiration']) / 1000 }];
    });

    it.each(captures)('is as in %s', async (_name, capture, options) => {
      // No time passes: what is sent at once has the whole timeout as its expiration.
      vi.useFakeTimers({ toFake: ['performance'] });
      const { method, args, namespace, version, ...rest } = capture.oslo_message_decoded;
      const prefixed = Object.entries(rest).filter(([key]) => key.startsWith('_context_'));
      const context = Object.fromEntries(prefixed.map(([key, value]) => [key.slice('_context_'.length), value]));
      const target = { namespace: namespace as string | undefined, version: version as string | undefined };
      const client = on().client(options, { exchange: 'nova', topic: 'conductor', ...target });
      const calling = client.call(String(method), args as Record<string, unknown>, { context });
      const { message, envelope, expirationMs } = await peer.next();
      expect(message).toEqual({
        ...capture.oslo_message_decoded,
        _msg_id: HEX,
        _unique_id: HEX,
        _reply_q: client.replyQueue,
      });
      expect(Object.keys(message)).toEqual(Object.keys(capture.oslo_message_decoded));
      expect(Object.keys(envelope)).toEqual(['oslo.version', 'oslo.message']);
      expect(String(expirationMs)).toBe(capture.properties['expiration']);
      await peer.answer({ message, envelope, exchange: '', routingKey: '' }, { result: 'answered' });
      expect(await calling).toBe('answered');
    });

    it('has a reply queue named as Python’s', () => {
      const client = on().client();
      expect(client.replyQueue).toMatch(/^reply_[0-9a-f]{32}$/);
    });
  });

  it('replies find their call, in whatever order they come', async () => {
    const client = on().client();
    const calls = [1, 2, 3].map((n) => client.call('echo', { n }));
    const requests = [await peer.next(), await peer.next(), await peer.next()];
    for (const request of requests.toReversed()) {
      await peer.answer(request, { result: (request.message['args'] as { n: number }).n });
    }
    expect(await Promise.all(calls)).toEqual([1, 2, 3]);
    expect(client.pendingCalls).toBe(0);
    expect(client.counters).toMatchObject({ replies: 3, lateReplies: 0, unknownReplies: 0 });
  });

  it.each([[null], [0], [''], [false], [[]], [{ nested: { a: [1, null] } }]])('a result of %j', async (result) => {
    const calling = on().client().call('echo');
    await peer.answer(await peer.next(), { result });
    expect(await calling).toEqual(result);
  });

  it('takes the legacy pair of replies: the payload, then the end', async () => {
    const client = on().client();
    const calling = client.call('echo');
    const request = await peer.next();
    await peer.answer(request, { result: 'payload', ending: false });
    expect(client.pendingCalls).toBe(1);
    await peer.answer(request);
    expect(await calling).toBe('payload');

    const failing = client.call('echo').catch((error: unknown) => error);
    const second = await peer.next();
    const failure = JSON.stringify({
      class: 'KeyError',
      module: 'builtins',
      message: 'k',
      tb: [],
      args: [],
      kwargs: {},
    });
    await peer.answer(second, { failure, ending: false });
    await peer.answer(second);
    expect(await failing).toMatchObject({ excType: 'KeyError' });
  });

  it('stray, late, unknown and malformed replies are counted and harm nobody', async () => {
    vi.useFakeTimers();
    const client = on().client({ timeout: 1 });
    const told: string[] = [];
    client.events.subscribe(({ type }) => void (type === 'connection-changed' || told.push(type)));
    const late = client.call('echo').catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1500);
    expect(await late).toBeInstanceOf(MessagingTimeout);
    const request = await peer.next();
    void peer.answer(request, { result: 'late' });
    void peer.answer(request, { result: 'again' });
    // Python servers go on with heartbeats after some failures.
    void peer.answer(request, { ending: false });
    const where = { exchange: '', routingKey: client.replyQueue };
    void peer.publish('not json', where);
    void peer.publish('[1]', where);
    void peer.publish('{"result": 1}', where);
    await vi.advanceTimersByTimeAsync(100);
    expect(client.counters).toEqual({
      replies: 0,
      heartbeats: 1,
      lateReplies: 1,
      unknownReplies: 1,
      repeatedReplies: 0,
      malformedReplies: 3,
    });
    expect(on().eventsOf('reply-unmatched')).toMatchObject([{ reason: 'late', method: 'echo' }, { reason: 'unknown' }]);
    expect(told).toEqual([
      'reply-unmatched',
      'reply-unmatched',
      'message-rejected',
      'message-rejected',
      'message-rejected',
    ]);
    const calling = client.call('echo');
    await vi.advanceTimersByTimeAsync(10);
    void peer.answer(await peer.next(), { result: 'fine' });
    await vi.advanceTimersByTimeAsync(10);
    expect(await calling).toBe('fine');
  });

  it('a second answer to the same call is counted, and no news', async () => {
    const client = on().client();
    const calling = client.call('echo');
    const request = await peer.next();
    await peer.answer(request, { result: 'once' });
    expect(await calling).toBe('once');
    await peer.answer(request, { result: 'twice' });
    await vi.waitFor(() =>
      expect(client.counters).toMatchObject({ replies: 1, repeatedReplies: 1, unknownReplies: 0 }),
    );
    expect(on().eventsOf('reply-unmatched')).toEqual([]);
  });

  it('one reply that cannot be deserialized ends its own call only', async () => {
    const failing = {
      serializeEntity: (_context: object, entity: unknown) => entity,
      deserializeEntity: (_context: object, entity: unknown) => {
        if (entity === 'bad') throw new TypeError('cannot read this');
        return entity;
      },
      serializeContext: (context: object) => ({ ...context }),
      deserializeContext: (context: object) => ({ ...context }),
    };
    const client = on().client({ serializer: failing });
    const bad = client.call('echo').catch((error: unknown) => error);
    const good = client.call('echo');
    const requests = [await peer.next(), await peer.next()];
    // Both come in one tick.
    await Promise.all([peer.answer(requests[0]!, { result: 'bad' }), peer.answer(requests[1]!, { result: 'good' })]);
    expect(await bad).toMatchObject({ message: 'cannot read this' });
    expect(await good).toBe('good');
  });

  describe('its one deadline', () => {
    const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

    beforeEach(() => vi.useFakeTimers());

    it('ends it, with the facts', async () => {
      const client = on().client({ timeout: 2 });
      const outcome = client.call('echo').catch((error: unknown) => error);
      await ms(1990);
      expect(client.pendingCalls).toBe(1);
      await ms(20);
      expect(await outcome).toMatchObject({
        name: 'MessagingTimeout',
        code: 'OSLO_TIMEOUT',
        fault: 'peer',
        method: 'echo',
        target: 'nova/conductor',
        replyQueue: client.replyQueue,
        msgId: HEX,
      });
      expect((await peer.next()).message['_msg_id']).toBe(((await outcome) as MessagingTimeout).msgId);
      expect(client.pendingCalls).toBe(0);
    });

    it('covers the time without a connection, and only what is left is sent as expiration', async () => {
      const broker = on().broker();
      const reachable = on().unreachable(broker);
      const calling = on()
        .client({ timeout: 10 }, undefined, broker)
        .call('echo')
        .catch((error: unknown) => error);
      await ms(4000);
      reachable.open();
      await ms(10);
      expect(await peer.next()).toMatchObject({ expirationMs: 6000 });
      await ms(6000);
      expect(await calling).toBeInstanceOf(MessagingTimeout);
    });

    it('0 is 0; a very long one has no expiration', async () => {
      const client = on().client();
      const none = client
        .prepare({ timeout: 0 })
        .call('echo')
        .catch((error: unknown) => error);
      await ms(10);
      expect(await none).toBeInstanceOf(MessagingTimeout);
      const calling = client.prepare({ timeout: Infinity }).call('patient');
      await ms(10);
      const request = peer.waiting.find(({ message }) => message['method'] === 'patient')!;
      expect(request.expirationMs).toBeUndefined();
      await ms(90 * 24 * 3600 * 1000);
      void peer.answer(request, { result: 'after months' });
      await ms(10);
      expect(await calling).toBe('after months');
    });

    it('leaves no timer behind', async () => {
      const client = on().client();
      const calling = client.call('echo');
      await ms(10);
      void peer.answer(await peer.next());
      await ms(10);
      await calling;
      // The acknowledgement of its answer waits for others a moment.
      await ms(20);
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  describe('with a call monitor', () => {
    const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

    beforeEach(() => vi.useFakeTimers());

    it('waits as long as heartbeats come, up to the timeout', async () => {
      const outcome = on()
        .client({ timeout: 10, callMonitorTimeout: 2 })
        .call('slow')
        .catch((error: unknown) => error);
      await ms(10);
      const request = await peer.next();
      for (let second = 0; second < 9; second += 1) {
        await ms(1000);
        void peer.answer(request, { ending: false });
      }
      await ms(900);
      const seen = vi.fn<(outcome: unknown) => void>();
      void outcome.then(seen);
      await ms(0);
      expect(seen).not.toHaveBeenCalled();
      await ms(200);
      expect(await outcome).toMatchObject({ name: 'MessagingTimeout', message: expect.stringContaining('10 s') });
    });

    it('gives up when none came for so long', async () => {
      const outcome = on()
        .client({ timeout: 60, callMonitorTimeout: 2 })
        .call('slow')
        .catch((error: unknown) => error);
      await ms(1500);
      void peer.answer(await peer.next(), { ending: false });
      await ms(1900);
      const seen = vi.fn<(outcome: unknown) => void>();
      void outcome.then(seen);
      await ms(0);
      expect(seen).not.toHaveBeenCalled();
      await ms(200);
      expect(await outcome).toMatchObject({ name: 'MessagingTimeout', message: expect.stringContaining('heartbeat') });
    });

    it('heartbeats without having asked for them are harmless', async () => {
      const calling = on().client({ timeout: 5 }).call('slow');
      await ms(10);
      const request = await peer.next();
      void peer.answer(request, { ending: false });
      await ms(10);
      void peer.answer(request, { result: 'done' });
      await ms(10);
      expect(await calling).toBe('done');
    });
  });

  describe('mandatory', () => {
    it('is undeliverable at once where no server is', async () => {
      const client = on().client({ transportOptions: { atLeastOnce: true } }, { exchange: 'nova', topic: 'nobody' });
      await expect(client.call('echo')).rejects.toBeInstanceOf(MessageUndeliverable);
      await expect(client.call('echo')).rejects.toMatchObject({ exchange: 'nova', routingKey: 'nobody' });
      expect(client.pendingCalls).toBe(0);
    });

    it('is not, by default: then it times out', async () => {
      vi.useFakeTimers();
      const client = on().client({ timeout: 1 }, { exchange: 'nova', topic: 'nobody' });
      const outcome = client.call('echo').catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(1100);
      expect(await outcome).toBeInstanceOf(MessagingTimeout);
    });
  });

  describe('aborted by a signal', () => {
    it('rejects with its reason, whatever that is, and is forgotten', async () => {
      const client = on().client();
      for (const reason of [new Error('enough'), 'a text', undefined, Object.freeze(new Error('frozen'))]) {
        const abortion = new AbortController();
        const outcome = client.call('echo', {}, { signal: abortion.signal }).catch((error: unknown) => error);
        const request = await peer.next();
        abortion.abort(reason);
        expect(await outcome).toBe(abortion.signal.reason);
        expect(client.pendingCalls).toBe(0);
        await peer.answer(request);
      }
    });

    it('sends nothing when it was aborted before', async () => {
      const calling = on()
        .client()
        .call('echo', {}, { signal: AbortSignal.abort(new Error('before')) });
      await expect(calling).rejects.toThrow('before');
      expect(peer.waiting).toEqual([]);
    });

    it('keeps no listener after the answer', async () => {
      const { signal } = new AbortController();
      const remove = vi.spyOn(signal, 'removeEventListener');
      const calling = on().client().call('echo', {}, { signal });
      await peer.answer(await peer.next());
      await calling;
      expect(remove).toHaveBeenCalledWith('abort', expect.any(Function));
    });

    it('one signal ends many calls, and has one listener of ours while any waits', async () => {
      const client = on().client();
      const abortion = new AbortController();
      const listeners = (): number => getEventListeners(abortion.signal, 'abort').length;
      const outcomes = Array.from({ length: 12 }, () =>
        client.call('echo', {}, { signal: abortion.signal }).catch((error: unknown) => error),
      );
      expect(listeners()).toBe(1);
      await peer.answer(await peer.next(), { result: 'in time' });
      expect(await outcomes[0]).toBe('in time');
      expect(listeners()).toBe(1);
      abortion.abort('enough');
      expect(await Promise.all(outcomes)).toEqual(['in time', ...Array.from({ length: 11 }, () => 'enough')]);
      expect([listeners(), client.pendingCalls]).toEqual([0, 0]);
    });
  });
});

describe('what is no request', () => {
  const on = useRpcBus();

  it.each([
    ['an array', 'm', [1]],
    ['a string', 'm', 'x'],
    ['a Map', 'm', new Map([['a', 1]])],
    ['a method without a name', 5, {}],
  ])('is refused before it is sent, and is its caller’s mistake: %s', async (_what, method, args) => {
    const client = on().client();
    const call = client.call(method as string, args as object as Record<string, unknown>);
    await expect(call).rejects.toMatchObject({ name: 'MalformedMessage', fault: 'caller' });
    expect(client.pendingCalls).toBe(0);
  });

  it.each(['x'.repeat(256), 7])('nor is a topic that AMQP cannot write: %s', async (topic) => {
    const call = on()
      .client()
      .prepare({ topic: topic as string })
      .call('m');
    await expect(call).rejects.toMatchObject({ name: 'InvalidTarget', fault: 'caller' });
  });

  it('null stands for no arguments', async () => {
    await on().serve({ echo: (args: object) => args });
    expect(
      await on()
        .client()
        .call('echo', null as never),
    ).toEqual({});
  });
});
