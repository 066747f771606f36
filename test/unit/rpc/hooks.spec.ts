import { describe, expect, it } from 'vitest';
import {
  type AroundHook,
  type HookedMessage,
  type HookedPart,
  type HookedServer,
  MessagingTimeout,
  multicall,
  RemoteError,
} from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { stillKept } from '../../support/garbage.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

/** Notes what it is told of, and how each call ends. */
function witness(): AroundHook & { messages: HookedMessage[]; ends: unknown[] } {
  const messages: HookedMessage[] = [];
  const ends: unknown[] = [];
  return {
    messages,
    ends,
    async aroundCall(message, next) {
      messages.push(message);
      try {
        const result = await next();
        ends.push(result);
        return result;
      } catch (error) {
        ends.push(error);
        throw error;
      }
    },
    aroundSend(message, next) {
      if (message.kind !== 'call') messages.push(message);
      return next();
    },
    aroundProcess(message, next) {
      messages.push(message);
      return next();
    },
  };
}

describe('what hooks are told', () => {
  it('is the whole target of a call, a cast and a fanout, and the timeout of a call', async () => {
    await on().serve({ ping: () => 'pong' });
    const hook = witness();
    const client = on().client({ hooks: [hook], timeout: 7 });
    const prepared = client.prepare({ namespace: 'base', version: '1.0', server: 'host1' });
    await prepared.call('ping').catch(() => undefined);
    await client.cast('ping');
    await client.fanout('ping');
    const rest = { bus: 'rabbitmq', method: 'ping', context: {} };
    expect(hook.messages).toMatchObject([
      {
        ...rest,
        kind: 'call',
        exchange: 'nova',
        routingKey: 'conductor.host1',
        target: {
          exchange: 'nova',
          topic: 'conductor',
          server: 'host1',
          namespace: 'base',
          version: '1.0',
          fanout: false,
        },
        timeout: 7,
        msgId: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
      { ...rest, kind: 'cast', timeout: undefined, target: { server: undefined, namespace: null, version: null } },
      {
        ...rest,
        kind: 'fanout',
        exchange: 'conductor_fanout',
        routingKey: '',
        target: { exchange: 'nova', fanout: true },
      },
    ]);
  });

  it('is the target, the ids and the class of a request that is handled', async () => {
    class Base {
      ping(): string {
        return 'pong';
      }
    }
    const hook = witness();
    await on()
      .server([{ namespace: 'base', version: '1.4', methods: new Base() }], { hooks: [hook] })
      .start();
    await on().client().prepare({ namespace: 'base', version: '1.2' }).call('ping');
    expect(hook.messages).toMatchObject([
      {
        kind: 'request',
        endpoint: 'Base',
        target: {
          exchange: 'nova',
          topic: 'conductor',
          server: 'host1',
          namespace: 'base',
          version: '1.2',
          fanout: false,
        },
      },
    ]);
  });

  it('names no class for plain objects and maps', async () => {
    const hook = witness();
    const endpoints = [{ methods: { a: () => 1 } }, { methods: new Map([['b', () => 2]]) }];
    await on()
      .server(endpoints, { hooks: [hook] })
      .start();
    const client = on().client();
    expect(await Promise.all([client.call('a'), client.call('b')])).toEqual([1, 2]);
    expect(hook.messages.map(({ endpoint }) => endpoint)).toEqual([undefined, undefined]);
  });
});

describe('around a whole call', () => {
  it('sees its answer', async () => {
    await on().serve({ ping: () => 'pong' });
    const hook = witness();
    expect(
      await on()
        .client({ hooks: [hook] })
        .call('ping'),
    ).toBe('pong');
    expect(hook.ends).toEqual(['pong']);
  });

  it('sees its failure, and the diagnosis of a timeout', async () => {
    const gate = new Gate();
    await on().serve({
      fail: () => {
        throw new TypeError('no');
      },
      hang: () => gate.opened,
    });
    const hook = witness();
    const client = on().client({ hooks: [hook] });
    const errors = [
      await client.call('fail').catch((error: unknown) => error),
      await client
        .prepare({ timeout: 0.05 })
        .call('hang')
        .catch((error: unknown) => error),
    ];
    gate.open();
    expect(hook.ends).toEqual(errors);
    expect(errors[0]).toBeInstanceOf(RemoteError);
    expect(errors[1]).toBeInstanceOf(MessagingTimeout);
    const seen = { exchange: 'nova', queue: 'conductor', waitedFor: 'answer' };
    expect((errors[1] as MessagingTimeout).diagnosis).toMatchObject(seen);
  });

  it('adds to the context that is sent, and may wait before it sends', async () => {
    const peer = on().peer();
    await peer.serve();
    const context = Object.freeze({ user: 'u' });
    const hook: AroundHook = {
      async aroundCall(message, next) {
        await Promise.resolve();
        message.context['traceparent'] = 't1';
        return next();
      },
    };
    const call = on()
      .client({ hooks: [hook] })
      .call('ping', {}, { context });
    const request = await peer.next();
    expect(request.message).toMatchObject({ _context_user: 'u', _context_traceparent: 't1' });
    await peer.answer(request, { result: 'pong' });
    expect(await call).toBe('pong');
  });

  it('may give another answer, and fail the call', async () => {
    await on().serve({ ping: () => 'pong' });
    const other = on().client({ hooks: [{ aroundCall: async (_message, next) => [await next()] as never }] });
    expect(await other.call('ping')).toEqual(['pong']);
    const failing = on().client({ hooks: [{ aroundCall: () => Promise.reject(new RangeError('not now')) }] });
    await expect(failing.call('ping')).rejects.toThrow(RangeError);
    expect(failing.pendingCalls).toBe(0);
  });

  it('sees a multicall end, and one that is left', async () => {
    await on().serve({
      list: multicall(function* () {
        yield* [1, 2, 3];
      }),
    });
    const hook = witness();
    const client = on().client({ hooks: [hook] });
    const values: unknown[] = [];
    for await (const value of client.multicall('list')) values.push(value);
    expect(values).toEqual([1, 2, 3]);
    for await (const value of client.multicall('list')) if (value === 1) break;
    await eventually(() => hook.ends.length === 2);
    expect(hook.ends).toMatchObject([null, { name: 'AbortError' }]);
    expect(client.pendingCalls).toBe(0);
  });

  it('sends one request, however often it goes on', async () => {
    let runs = 0;
    await on().serve({ ping: () => ++runs });
    const hook: AroundHook = { aroundCall: (_message, next) => Promise.all([next(), next()]).then(([first]) => first) };
    expect(
      await on()
        .client({ hooks: [hook] })
        .call('ping'),
    ).toBe(1);
  });

  it('keeps nothing of the arguments while the call waits', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client({ hooks: [witness()] });
    const first = client.call('first');
    await peer.answer(await peer.next());
    await first;
    /** Nothing here may hold the arguments: they would be kept for the test's own sake. */
    const callWith = (n: number): WeakRef<object> => {
      const instance = { n };
      void client.call('work', { instance }).catch(() => undefined);
      return new WeakRef(instance);
    };
    const kept = Array.from({ length: 10 }, (_, n) => callWith(n));
    for (let n = 0; n < 10; n += 1) await peer.next();
    expect(client.pendingCalls).toBe(10);
    expect(await stillKept(kept)).toBe(0);
  });
});

describe('the parts that a hook is attached to', () => {
  it('are shown when they are made, and taken away when they are closed', async () => {
    const parts = new Set<HookedPart>();
    const hook: AroundHook = {
      attach(part) {
        parts.add(part);
        return () => void parts.delete(part);
      },
    };
    const server = on().server([{ methods: { ping: () => 'pong' } }], { hooks: [hook] });
    const client = on().client({ hooks: [hook] });
    expect([...parts].map(({ kind }) => kind)).toEqual(['server', 'client']);
    await server.start();
    await client.call('ping');
    await client.close();
    expect([...parts].map(({ kind }) => kind)).toEqual(['server']);
    await server.close();
    expect(parts.size).toBe(0);
  });

  it('tell how busy a server is', async () => {
    const gate = new Gate();
    const shown: HookedPart[] = [];
    const attach = (part: HookedPart): undefined => void shown.push(part);
    const hooks = [{ attach }];
    const methods = { hang: () => gate.opened };
    await on().server([{ methods }], { hooks, executorThreadPoolSize: 2 }).start();
    const calls = Array.from({ length: 4 }, () => on().client().call('hang'));
    const server = shown[0] as HookedServer;
    await eventually(() => server.load.waiting === 2);
    expect(server).toMatchObject({
      kind: 'server',
      server: 'host1',
      topics: ['conductor'],
      bus: { state: 'connected' },
    });
    expect(server.load).toEqual({ slots: 2, running: 2, waiting: 2 });
    gate.open();
    await Promise.all(calls);
  });
});
