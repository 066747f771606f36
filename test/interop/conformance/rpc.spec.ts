import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  MessagingTimeout,
  RemoteError,
  remoteFailureOf,
  type RpcHandler,
  type Serializer,
} from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { multiplied, type Scenario } from '../../support/scenarios.js';
import { type PythonCallOptions, pythonVersions, usePythonPeer } from '../support/python-peer.js';
import { useRpcEnds } from '../support/rpc-ends.js';

const callers: Scenario<{ count: number }>[] = [
  ['one caller', { count: 1 }],
  ['ten callers', { count: 10 }],
];
const contexts: Scenario<{ context: Record<string, string> }>[] = [
  ['no context', { context: {} }],
  ['a context', { context: { user: 'mark' } }],
];
const replies: Scenario<{ reply: (n: number) => unknown }>[] = [
  ['each its own', { reply: (n) => ({ rx_id: n }) }],
  ['None', { reply: () => null }],
  ['an empty list', { reply: () => [] }],
  ['an empty dict', { reply: () => ({}) }],
  ['False', { reply: () => false }],
  ['zero', { reply: () => 0 }],
];
const timeouts: Scenario<{ timeout: number; monitor?: number }>[] = [
  ['a timeout', { timeout: 0.01 }],
  ['a timeout and a call monitor', { timeout: 0.01, monitor: 0.02 }],
];

class Farcical extends Error {}
class Missing extends Error {}
class SystemExit extends Error {}
class HostNotFound extends Error {
  readonly args: unknown[] = [];
  constructor(readonly kwargs: Record<string, unknown>) {
    super(`Host ${String(kwargs['host'])} could not be found.`);
  }
}
class WithUnknownKeyword extends Error {
  readonly args: unknown[] = [];
  readonly kwargs = { foobar: 'blaa' };
}

const failing =
  (error: () => Error): RpcHandler =>
  () => {
    throw error();
  };

const serializer: Serializer = {
  serializeEntity: (_context, entity) => (entity === null ? entity : `s${entity as string}`),
  deserializeEntity: (_context, entity) => (entity === null ? entity : `d${JSON.stringify(entity)}`),
  serializeContext: (context) => ({ ...context, sent: 'yes' }),
  deserializeContext: (context) => ({ ...context, received: 'yes' }),
};

describe.each(pythonVersions)('conformance of RPC with oslo.messaging %s', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version, url: () => vhost.url });
  const ours = useRpcEnds(() => vhost.url);
  const theirs = { exchange: 'nova', topic: 'python' };
  const own = { exchange: 'nova', topic: 'ours' };

  beforeAll(async () => {
    await python.serve({ name: 'python', target: { ...theirs, server: 'p' }, offered: ['plain'] });
    const methods: Record<string, RpcHandler> = {
      give: ({ value }: { value: unknown }) => value,
      slow: ({ seconds, result }: { seconds: number; result: unknown }) => delay(seconds * 1000, result),
      divide: failing(() => new RangeError('division by zero')),
      standard: failing(() => new Error('test')),
      keyword: failing(() => new HostNotFound({ host: 'host9' })),
      farcical: failing(() => new Farcical('test')),
      missing: failing(() => new Missing('test')),
      system_exit: failing(() => new SystemExit('test')),
      unknown_keyword: failing(() => new WithUnknownKeyword('test')),
    };
    await ours.serve({ ...own, server: 'o' }, [{ methods }], {
      pythonExceptions: [
        [HostNotFound, 'harness_errors.HostNotFound'],
        [Farcical, 'builtins.FarcicalError'],
        [Missing, 'notexist.Exception'],
        [SystemExit, 'builtins.SystemExit'],
        [WithUnknownKeyword, 'builtins.Exception'],
      ],
    });
    // Python makes its reply queue with the first call, within the timeout of nobody.
    await python.call('give', { value: 1 }, { target: own });
  });

  // TestSendReceive.
  describe('each caller gets what it was sent', () => {
    const results = multiplied(callers, multiplied(contexts, replies));
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

    it.each(results)('we call Python: %s', async (_name, { count, context, reply }) => {
      const client = ours.client(theirs);
      const calls = numbers(count).map((n) => client.call('slow', { seconds: 0, result: reply(n) }, { context }));
      expect(await Promise.all(calls)).toEqual(numbers(count).map(reply));
      expect(python.requests('python').at(-1)!.context).toMatchObject(context);
    });

    it.each(results)('Python calls us: %s', async (_name, { count, context, reply }) => {
      const calls = numbers(count).map((n) => python.call('give', { value: reply(n) }, { target: own, context }));
      expect(await Promise.all(calls)).toEqual(numbers(count).map(reply));
    });

    it.each(callers)(
      'we call Python, it raises, as expected or not; ours: a RemoteError: %s',
      async (_name, { count }) => {
        const client = ours.client(theirs);
        for (const method of ['fail_value', 'fail_expected']) {
          const calls = numbers(count).map(() => client.call(method).catch((error: unknown) => error));
          for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(RemoteError);
        }
      },
    );

    it.each(callers)('Python calls us, and we throw: %s', async (_name, { count }) => {
      const calls = numbers(count).map(() => python.failure('divide', {}, { target: own }));
      for (const error of await Promise.all(calls)) {
        expect(error).toMatchObject({ class: 'ValueError', module: 'builtins' });
      }
    });

    it.each(multiplied(callers, timeouts))(
      'we call Python, which does not answer in time: %s',
      async (_name, { count, timeout, monitor }) => {
        const client = ours.client(theirs).prepare({ timeout, callMonitorTimeout: monitor });
        const calls = numbers(count).map(() => client.call('slow', { seconds: 3 }).catch((error: unknown) => error));
        for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(MessagingTimeout);
      },
    );

    it.each(multiplied(callers, timeouts))(
      'Python calls us, and we do not answer in time: %s',
      async (_name, { count, timeout, monitor }) => {
        const options: PythonCallOptions = { target: own, prepare: { timeout, call_monitor_timeout: monitor ?? null } };
        const calls = numbers(count).map(() => python.failure('slow', { seconds: 3, result: 1 }, options));
        for (const error of await Promise.all(calls)) expect(error).toMatchObject({ class: 'MessagingTimeout' });
      },
    );
  });

  // The client's TestSerializer, with Python at the other end.
  describe('arguments, context and result pass our serializer', () => {
    it('of our client', async () => {
      const client = ours.client(theirs, { serializer });
      const context = { user: 'bob' };
      expect(await client.call('echo', { a: 'a', b: 'b' }, { context })).toBe('d{"a":"sa","b":"sb"}');
      expect(python.requests('python').at(-1)).toMatchObject({
        method: 'echo',
        args: { a: 'sa', b: 'sb' },
        context: { user: 'bob', sent: 'yes' },
      });
    });

    it('of our server', async () => {
      const seen: unknown[] = [];
      const target = { exchange: 'nova', topic: 'serialized' };
      const methods = {
        foo: (args: object, { requestContext }: { requestContext: object }) => {
          seen.push(args, requestContext);
          return 'd';
        },
      };
      await ours.serve({ ...target, server: 'o' }, [{ methods }], { serializer });
      const context = { user: 'bob' };
      expect(await python.call('foo', { a: 'a', b: 'b' }, { target, context })).toBe('sd');
      expect(seen).toEqual([
        { a: 'd"a"', b: 'd"b"' },
        { user: 'bob', received: 'yes' },
      ]);
    });
  });

  // DeserializeRemoteExceptionTestCase.
  describe('what we throw, as Python makes it again', () => {
    const allowed = { target: own, allowed_remote_exmods: ['harness_errors', 'notexist'] };

    it('a builtin is its class, with message and traceback as its text', async () => {
      const error = await python.failure('standard', {}, allowed);
      expect(error).toMatchObject({ class: 'Exception', module: 'builtins' });
      expect(error.str).toMatch(/^test\nTraceback \(most recent call last\):\n[^]*\nException: test\n$/);
      expect(error.args).toEqual([error.str]);
    });

    it('one with keyword arguments is a subclass of its class', async () => {
      const error = await python.failure('keyword', {}, allowed);
      expect(error).toMatchObject({
        class: 'HostNotFound_Remote',
        module: 'harness_errors_Remote',
        mro: expect.arrayContaining(['harness_errors.HostNotFound']),
        kwargs: { host: 'host9' },
        args: ['Host host9 could not be found.'],
      });
      expect(error.str).toMatch(/^Host host9 could not be found\.\nTraceback /);
    });

    it.each<[string, method: string, allowed: string[], excType: string, value: string]>([
      ['of a module that is not allowed', 'keyword', [], 'HostNotFound', 'Host host9 could not be found.'],
      ['of a module that there is not', 'missing', ['notexist'], 'Exception', 'test'],
      ['of a builtin that there is not', 'farcical', [], 'FarcicalError', 'test'],
      ['with a keyword argument that its class does not know', 'unknown_keyword', [], 'Exception', 'test'],
      ['of a class that is no Exception', 'system_exit', [], 'SystemExit', 'test'],
    ])('%s: a RemoteError with type, value and traceback', async (_name, method, exmods, excType, value) => {
      const error = await python.failure(method, {}, { target: own, allowed_remote_exmods: exmods });
      expect(error).toMatchObject({ class: 'RemoteError', exc_type: excType, value });
      expect(JSON.stringify(error.traceback)).toContain('Traceback (most recent call last):');
    });
  });

  it('what Python raises is our class where it is registered and allowed, else a RemoteError', async () => {
    const remoteExceptions = { 'harness_errors.HostNotFound': HostNotFound };
    const call = (options: object): Promise<unknown> =>
      ours
        .client(theirs, options)
        .call('fail_custom', { host: 'h7' })
        .catch((error: unknown) => error);
    const known = await call({ remoteExceptions });
    expect(known).toBeInstanceOf(HostNotFound);
    expect(remoteFailureOf(known)!.traceback.join('')).toContain('in fail_custom');
    for (const options of [{}, { remoteExceptions, allowedRemoteExmods: [] }]) {
      const unknown = await call(options);
      expect(unknown).toBeInstanceOf(RemoteError);
      expect(unknown).toMatchObject({ excType: 'HostNotFound', module: 'harness_errors' });
    }
  });

  // CallTestCase.test_monitor_long_call.
  describe('a call that takes 7 s', () => {
    it('times out after 1 s, and is waited for while its monitor of 4 s hears from the server', async () => {
      const args = { seconds: 7, result: 4 };
      const client = ours.client(theirs);
      const outcomes = await Promise.all([
        client
          .prepare({ timeout: 1 })
          .call('slow', args)
          .catch((error: unknown) => error),
        client.prepare({ timeout: 3600, callMonitorTimeout: 4 }).call('slow', args),
        python.failure('slow', args, { target: own, prepare: { timeout: 1 } }),
        python.call('slow', args, { target: own, prepare: { timeout: 3600, call_monitor_timeout: 4 } }),
      ]);
      expect(outcomes).toMatchObject([expect.any(MessagingTimeout), 4, { class: 'MessagingTimeout' }, 4]);
    });
  });

  // TestMultipleServers runs on the fake driver; this is why ours expects something else of RabbitMQ.
  it('a fanout reaches the servers of its topic on other exchanges, too', async () => {
    for (const exchange of ['x1', 'x2']) {
      const target = { exchange, topic: 'shared', server: exchange };
      await python.serve({ name: exchange, target, offered: ['plain'] });
    }
    await ours.client({ exchange: 'x1', topic: 'shared' }).fanout('record', { arg: '1' });
    await eventually(() => ['x1', 'x2'].every((name) => python.requests(name).length === 1));
  });
});
