import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AroundHook, MalformedMessage, MessageUndeliverable, RpcClient } from '../../../lib/index.js';
import { BrokerRefusal, ReplyCode } from '../../../lib/broker/link.js';
import { eventually } from '../../support/eventually.js';
import { advanced } from '../../support/virtual-time.js';
import { capturesOf } from '../../golden/read-golden.js';
import { TARGET, useRpcBus } from './support/rpc-bus.js';

describe('a cast', () => {
  const on = useRpcBus();
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);

  beforeEach(() => process.on('unhandledRejection', note));
  afterEach(() => {
    process.off('unhandledRejection', note);
    if (unhandled.length > 0) throw new AggregateError(unhandled.splice(0), 'unhandled rejections');
  });

  it.each(capturesOf('rpc_cast.'))('is as in %s', async (_name, capture) => {
    const peer = on().peer();
    await peer.serve();
    const { method, args, namespace, version, ...rest } = capture.oslo_message_decoded;
    const prefixed = Object.entries(rest).filter(([key]) => key.startsWith('_context_'));
    const context = Object.fromEntries(prefixed.map(([key, value]) => [key.slice('_context_'.length), value]));
    const target = { ...TARGET, namespace: namespace as string | undefined, version: version as string | undefined };
    await on()
      .client({}, target)
      .cast(String(method), args as Record<string, unknown>, { context });
    const { message, expirationMs } = await peer.next();
    expect(message).toEqual({
      ...capture.oslo_message_decoded,
      _unique_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(Object.keys(message)).toEqual(Object.keys(capture.oslo_message_decoded));
    expect(expirationMs).toBeUndefined();
  });

  it('that nobody awaits is reported when it fails, and never an unhandled rejection', async () => {
    const client = on().client({ transportOptions: { atLeastOnce: true } }, { exchange: 'nova', topic: 'nobody' });
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    void client.cast('undeliverable');
    void client.cast('unwritable', circular);
    void client.prepare({ topic: null }).fanout('nowhere');
    await eventually(() => on().eventsOf('send-failed').length === 3);
    const reported = on().eventsOf('send-failed');
    expect(reported.map(({ method, kind, level }) => [method, kind, level]).toSorted()).toEqual([
      ['nowhere', 'fanout', 'error'],
      ['undeliverable', 'cast', 'error'],
      ['unwritable', 'cast', 'error'],
    ]);
  });

  it('that fails is told with namespace, method, version and request id', async () => {
    const target = { exchange: 'nova', topic: 'nobody', namespace: 'compute', version: '5.2' };
    const client = on().client({ transportOptions: { atLeastOnce: true } }, target);
    await expect(client.cast('work', {}, { context: { request_id: 'req-7' } })).rejects.toBeInstanceOf(
      MessageUndeliverable,
    );
    expect(on().eventsOf('send-failed')).toMatchObject([
      {
        ...{ method: 'work', namespace: 'compute', version: '5.2', requestId: 'req-7' },
        message: expect.stringMatching(/^The cast of compute\.work 5\.2 \(req-7\) to nova\/nobody /),
      },
    ]);
  });

  it('awaited it rejects', async () => {
    const client = on().client({ transportOptions: { atLeastOnce: true } }, { exchange: 'nova', topic: 'nobody' });
    await expect(client.cast('work')).rejects.toBeInstanceOf(MessageUndeliverable);
  });

  it('whose queue was there and does not come back rejects, but none to a topic that was never there', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client();
    await client.cast('first');
    await peer.broker.close();
    on().bus.deleteQueue('conductor');
    vi.useFakeTimers();
    try {
      const route = { exchange: 'nova', routingKey: 'conductor' };
      const lost = client.cast('lost').catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(5_300);
      expect(await lost).toMatchObject({ code: 'OSLO_NO_ROUTE', ...route });
      expect(on().eventsOf('message-unrouted')).toMatchObject([route]);
      expect(on().eventsOf('send-failed')).toMatchObject([{ method: 'lost' }]);
      const others = [client.prepare({ topic: 'nobody' }).cast('work'), client.fanout('work')];
      await vi.advanceTimersByTimeAsync(1);
      await Promise.all(others);
    } finally {
      vi.useRealTimers();
    }
  });

  it('finds the servers of its process again when somebody has deleted their exchange', async () => {
    const broker = on().broker();
    const client = new RpcClient(broker, TARGET);
    let runs = 0;
    await on()
      .server([{ methods: { work: () => void (runs += 1) } }], {}, undefined, broker)
      .start();
    await client.cast('work');
    on().bus.deleteExchange('nova');
    await client.cast('work');
    await eventually(() => runs === 2);
    expect(on().events.filter(({ type }) => type === 'consumers-lost')).toMatchObject([
      { message: expect.stringContaining("exchange 'nova' has lost their bindings") },
    ]);
  });

  it('finds them as soon as they may bind again, where that was refused at first', async () => {
    const broker = on().broker();
    const client = new RpcClient(broker, TARGET);
    let [runs, refused] = [0, 0];
    await on()
      .server([{ methods: { work: () => void (runs += 1) } }], {}, undefined, broker)
      .start();
    await client.cast('work');
    await eventually(() => runs === 1);
    const text = "ACCESS_REFUSED - read access to exchange 'nova' in vhost '/' refused for user 'guest'";
    on().bus.faults.refusal = (verb) =>
      verb === 'bind' && refused < 3 ? new BrokerRefusal((refused += 1) && ReplyCode.accessRefused, text) : undefined;
    vi.useFakeTimers();
    try {
      on().bus.deleteExchange('nova');
      const cast = client.cast('work');
      await vi.advanceTimersByTimeAsync(1_900);
      expect([runs, refused]).toEqual([1, 1]);
      // After 2, 4 and 5 s.
      await vi.advanceTimersByTimeAsync(4_000);
      expect([runs, refused]).toEqual([1, 2]);
      await vi.advanceTimersByTimeAsync(10_000);
      expect([refused, on().eventsOf('consumers-restored')]).toMatchObject([3, [{}]]);
      await cast.catch(() => undefined);
      await advanced(client.cast('work'));
      expect(runs).toBeGreaterThan(1);
    } finally {
      on().bus.faults = {};
      vi.useRealTimers();
    }
  });

  it('is kept while the line is down, and sent once', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client();
    await client.cast('first');
    expect((await peer.next()).message).toMatchObject({ method: 'first' });
    on().bus.interrupt();
    await client.cast('second');
    expect((await peer.next()).message).toMatchObject({ method: 'second' });
    expect(peer.waiting).toEqual([]);
  });

  it('arguments and contexts with a key __proto__ are refused', async () => {
    const client = on().client();
    const hostile = JSON.parse('{"__proto__": {"admin": true}}') as Record<string, unknown>;
    await expect(client.cast('work', hostile)).rejects.toBeInstanceOf(MalformedMessage);
    await expect(client.call('work', hostile)).rejects.toBeInstanceOf(MalformedMessage);
    await expect(client.cast('work', {}, { context: hostile })).rejects.toBeInstanceOf(MalformedMessage);
  });

  it('sends the default context, unless one is given', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client({ defaultContext: () => ({ user: 'ambient' }) });
    await client.cast('work');
    await client.cast('work', {}, { context: { project: 'given' } });
    expect((await peer.next()).message).toMatchObject({ _context_user: 'ambient' });
    const { message } = await peer.next();
    expect(message).toMatchObject({ _context_project: 'given' });
    expect(message).not.toHaveProperty('_context_user');
  });

  it('hooks wrap it, and can add to the context', async () => {
    const peer = on().peer();
    await peer.serve();
    const seen: unknown[] = [];
    const hook: AroundHook = {
      aroundSend: (message, next) => {
        seen.push(message.kind);
        message.context['traceparent'] = 't1';
        return next();
      },
    };
    const context = Object.freeze({ user: 'u' });
    await on()
      .client({ hooks: [hook] })
      .cast('work', {}, { context });
    expect((await peer.next()).message).toMatchObject({ _context_user: 'u', _context_traceparent: 't1' });
    expect(seen).toEqual(['cast']);
  });

  it('goes to any of the topic’s servers, or to the one that is named', async () => {
    const broker = on().broker();
    const runs: string[] = [];
    const serverOf = (name: string): Promise<void> =>
      on()
        .server([{ methods: { work: () => void runs.push(name) } }], {}, { ...TARGET, server: name })
        .start();
    await serverOf('host1');
    await serverOf('host2');
    const client = new RpcClient(broker, TARGET);
    for (let i = 0; i < 4; i += 1) await client.cast('work');
    await eventually(() => runs.length === 4);
    expect(new Set(runs)).toEqual(new Set(['host1', 'host2']));
    for (let i = 0; i < 3; i += 1) await client.prepare({ server: 'host2' }).cast('work');
    await eventually(() => runs.length === 7);
    expect(runs.slice(4)).toEqual(['host2', 'host2', 'host2']);
    await client.fanout('work');
    await eventually(() => runs.length === 9);
    expect(runs.slice(7).toSorted()).toEqual(['host1', 'host2']);
  });
});
