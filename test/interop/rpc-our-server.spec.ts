import { beforeAll, describe, expect, it } from 'vitest';
import { expectedExceptions } from '../../lib/index.js';
import { HarnessHostNotFound, servedMethods } from './support/served-methods.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer, type PythonCallOptions } from './support/python-peer.js';
import { useRpcEnds } from './support/rpc-ends.js';

describe.each(pythonVersions)('oslo.messaging %s calls us', (version) => {
  // Python never deletes its reply queues.
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version, url: () => vhost.url });
  const ours = useRpcEnds(() => vhost.url);
  const target = { exchange: 'nova', topic: 'conductor' };
  const methods = servedMethods();

  beforeAll(async () => {
    const endpoints = [
      { methods },
      { namespace: 'baseapi', version: '1.1', methods: { interface: () => 'baseapi 1.1' } },
      { namespace: 'baseapi', version: '2.3', methods: { interface: () => 'baseapi 2.3' } },
      { namespace: 'renamed', legacyNamespaces: ['formerly'], methods: { interface: () => 'renamed 1.0' } },
    ];
    const options = {
      rpcPingEnabled: true,
      remoteExceptions: { 'harness_errors.HostNotFound': HarnessHostNotFound },
    };
    await ours.serve({ ...target, server: 'host1' }, endpoints, options);
  });

  const call = (method: string, args = {}, options: Partial<PythonCallOptions> = {}): Promise<unknown> =>
    python.call(method, args, { target, ...options });
  const failure = (method: string, args = {}, options: Partial<PythonCallOptions> = {}): Promise<object> =>
    python.failure(method, args, { target, ...options });

  it.each<[string, Record<string, unknown>]>([
    ['plain', { a: 1, b: 'text', c: true, d: 1.5 }],
    ['nested', { deep: { list: [1, [2, { three: [] }]], empty: {} } }],
    ['unicode', { clé: 'Příliš žluťoučký kůň 日本語 🐎 \u2028\u0000' }],
    ['null', { nothing: null, list: [null] }],
    ['2^60 and beyond', { big: 2n ** 60n, negative: -(2n ** 60n), huge: 10n ** 30n }],
    ['none', {}],
  ])('%s arguments go and come back', async (_what, args) => {
    expect(await call('echo', args)).toEqual(args);
  });

  it('the largest numbers arrive exactly', async () => {
    expect(await call('kind', { value: 2n ** 60n })).toEqual(['bigint', '1152921504606846976']);
    expect(await call('kind', { value: 2 ** 53 - 1 })).toEqual(['number', '9007199254740991']);
    expect(await call('kind', { value: NaN })).toEqual(['number', 'NaN']);
  });

  it('1 MiB each way', async () => {
    const text = 'é'.repeat(1 << 19);
    expect(await call('length', { text })).toBe(text.length);
    expect(await call('large', {})).toHaveLength(1 << 20);
  });

  it('undefined, dates and NaN are what JSON makes of them', async () => {
    expect(await call('nothing')).toBeNull();
    expect(await call('date')).toBe('2024-02-29T12:34:56.789Z');
    expect(await call('not_a_number')).toEqual({ nan: null });
  });

  it('of several answers it takes the last', async () => {
    expect(await call('several', { values: ['a', { b: 2 }, null] })).toEqual({ b: 2 });
    expect(await call('several', { values: [] })).toBeNull();
    expect(await failure('several_then_fail')).toMatchObject({ class: 'ValueError', module: 'builtins' });
    expect(await call('echo', { after: 1 })).toEqual({ after: 1 });
  });

  it('the context arrives', async () => {
    const context = { user: 'u1', roles: ['admin'], token: null };
    expect(await call('context', {}, { context })).toEqual(context);
  });

  describe('refusals', () => {
    const DISPATCHER = 'oslo_messaging.rpc.dispatcher';

    it.each<[string, string, PythonCallOptions['prepare'], string]>([
      ['a wrong method', 'missing', {}, 'NoSuchMethod'],
      ['a private method', '_private', {}, 'NoSuchMethod'],
      ['a wrong namespace', 'echo', { namespace: 'nowhere' }, 'UnsupportedVersion'],
      ['a wrong version', 'echo', { version: '1.1' }, 'UnsupportedVersion'],
      ['a wrong major', 'interface', { namespace: 'baseapi', version: '3.0' }, 'UnsupportedVersion'],
    ])('%s', async (_what, method, prepare, type) => {
      expect(await failure(method, {}, { prepare })).toMatchObject({ class: 'RemoteError', exc_type: type });
      expect(await failure(method, {}, { prepare, allowed_remote_exmods: [DISPATCHER] })).toMatchObject({
        class: `${type}_Remote`,
        mro: expect.arrayContaining([`${DISPATCHER}.${type}`]),
      });
    });

    it('wrong arguments are for the handler to refuse, as a TypeError', async () => {
      expect(await failure('add', { a: 1 })).toMatchObject({ class: 'TypeError', module: 'builtins' });
    });
  });

  it('versions and namespaces: two majors side by side, a legacy namespace, the ping', async () => {
    const namespace = 'baseapi';
    expect(await call('interface', {}, { prepare: { namespace, version: '1.0' } })).toBe('baseapi 1.1');
    expect(await call('interface', {}, { prepare: { namespace, version: '2.3' } })).toBe('baseapi 2.3');
    expect(await call('interface', {}, { prepare: { namespace: 'renamed' } })).toBe('renamed 1.0');
    expect(await call('interface', {}, { prepare: { namespace: 'formerly' } })).toBe('renamed 1.0');
    expect(await call('oslo_rpc_server_ping')).toBe('pong');
  });

  it('a chosen server, a cast and a fanout', async () => {
    const seen: string[] = [];
    const serving = (name: string): Promise<unknown> =>
      ours.serve({ exchange: 'nova', topic: 'fleet', server: name }, [
        { methods: { whoami: () => name, note: ({ kind }: { kind: string }) => void seen.push(`${name} ${kind}`) } },
      ]);
    await Promise.all(['one', 'two'].map(serving));
    const fleet = { target: { exchange: 'nova', topic: 'fleet' } };
    expect(await call('whoami', {}, { ...fleet, prepare: { server: 'one' } })).toBe('one');
    expect(await call('whoami', {}, { ...fleet, prepare: { server: 'two' } })).toBe('two');
    await python.cast('note', { kind: 'cast' }, { ...fleet, prepare: { server: 'two' } });
    await python.fanout('note', { kind: 'fanout' }, fleet);
    await eventually(() => seen.length === 3);
    expect(seen.toSorted()).toEqual(['one fanout', 'two cast', 'two fanout']);
  });

  it('a long call is kept alive by our heartbeats', async () => {
    const monitored = { timeout: 20, call_monitor_timeout: 4 };
    expect(await call('slow', { seconds: 6 }, { prepare: monitored })).toBe('slept');
  });

  it('a call that takes too long times out, and the late answer harms nobody', async () => {
    expect(await failure('slow', { seconds: 4 }, { prepare: { timeout: 1 } })).toMatchObject({
      class: 'MessagingTimeout',
    });
    expect(await call('echo', { a: 1 })).toEqual({ a: 1 });
  });

  describe('what our handlers throw', () => {
    it.each([
      ['type_error', 'TypeError', 'builtins'],
      ['range_error', 'ValueError', 'builtins'],
      ['enoent', 'FileNotFoundError', 'builtins'],
      ['plain_error', 'Exception', 'builtins'],
    ])('%s arrives as %s', async (method, type, module) => {
      const error = await failure(`fail_${method}`);
      expect(error).toMatchObject({ class: type, module });
      // Python replaces the first argument by the message and the traceback.
      expect((error as { args: unknown[] }).args[0]).toMatch(/^told to fail[^]*served-methods\.ts/);
    });

    it('arguments and keyword arguments travel; the class is rebuilt where its module is allowed', async () => {
      const allowed_remote_exmods = ['harness_errors'];
      expect(await failure('fail_host', {}, { allowed_remote_exmods })).toMatchObject({
        class: 'HostNotFound_Remote',
        mro: expect.arrayContaining(['harness_errors.HostNotFound']),
        kwargs: { host: 'host9' },
      });
      expect(await failure('fail_host')).toMatchObject({
        class: 'RemoteError',
        exc_type: 'HostNotFound',
        value: 'Host host9 could not be found.',
      });
    });

    it.each(['fail_text', 'fail_nothing', 'fail_unwritable', 'fail_circular_result'])(
      '%s is an answer too',
      async (method) => {
        expect(await failure(method, {}, { prepare: { timeout: 5 } })).not.toMatchObject({ class: 'MessagingTimeout' });
      },
    );

    it('an expected one is no error of ours', async () => {
      const expected = (): never => {
        throw new RangeError('told to fail');
      };
      methods.set('fail_expected', expectedExceptions(expected, RangeError));
      await ours.serve({ exchange: 'nova', topic: 'expecting', server: 'h' }, [{ methods }]);
      const topic = { target: { exchange: 'nova', topic: 'expecting' } };
      expect(await failure('fail_expected', {}, topic)).toMatchObject({ class: 'ValueError' });
      expect(ours.eventsOf('handler-failed').find(({ method }) => method === 'fail_expected')).toMatchObject({
        level: 'debug',
      });
    });
  });

  it('at_least_once to nobody is undeliverable at once', async () => {
    const nobody = { target: { exchange: 'nova', topic: 'nobody' }, client: { at_least_once: true } };
    expect(await failure('echo', {}, nobody)).toMatchObject({ class: 'MessageUndeliverable' });
  });

  it('100 calls at a time, all answered', async () => {
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    expect(await Promise.all(numbers.map((n) => call('echo', { n })))).toEqual(numbers.map((n) => ({ n })));
  });
});
