import { beforeAll, describe, expect, it } from 'vitest';
import {
  MessageUndeliverable,
  MessagingTimeout,
  NoSuchMethod,
  RemoteError,
  type RpcClient,
  UnsupportedVersion,
} from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';
import { useRpcEnds } from './support/rpc-ends.js';
import { HarnessHostNotFound } from './support/served-methods.js';

describe.each(pythonVersions)('we call oslo.messaging %s', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version, url: () => vhost.url });
  const ours = useRpcEnds(() => vhost.url);
  const target = { exchange: 'nova', topic: 'conductor' };
  let client: RpcClient;

  beforeAll(async () => {
    client = ours.client(target, { timeout: 20 });
    await python.serve({
      name: 'one',
      target: { ...target, server: 'host1' },
      offered: ['plain', 'base', 'base-two', 'renamed'],
    });
  });

  it.each<[string, Record<string, unknown>]>([
    ['plain', { a: 1, b: 'text', c: true, d: 1.5 }],
    ['nested', { deep: { list: [1, [2, { three: [] }]], empty: {} } }],
    ['unicode', { clé: 'Příliš žluťoučký kůň 日本語 🐎 \u2028\u0000' }],
    ['null', { nothing: null, list: [null] }],
    ['2^60 and beyond', { big: 2n ** 60n, negative: -(2n ** 60n), huge: 10n ** 30n }],
    ['none', {}],
  ])('%s arguments go and come back', async (_what, args) => {
    expect(await client.call('echo', args)).toEqual(args);
  });

  it('the values that Python returns', async () => {
    expect(await client.call('unicode')).toBe('Příliš žluťoučký kůň 日本語 \u{1f40e} \u2028 \x00');
    expect(await client.call('null')).toBeNull();
    expect(await client.call('big_integer')).toBe(2n ** 60n);
    expect(await client.call('is_big_integer', { value: 2n ** 60n })).toBe(true);
    expect(await client.call('date')).toBe('2024-02-29T12:34:56.000789');
    expect(await client.call('not_a_number')).toEqual({ nan: NaN, infinity: Infinity });
    expect(await client.call('odd_collections')).toEqual({ tuple: [1, 2], keys: { 1: 'one' }, bytes: 'bytes' });
    const rounding = ours.client(target, { integers: 'number' });
    expect(await rounding.call('big_integer')).toBe(2 ** 60);
  });

  it('1 MiB each way', async () => {
    expect(await client.call('length', { text: 'é'.repeat(1 << 19) })).toBe(1 << 19);
    expect(await client.call('large')).toHaveLength(1 << 20);
  });

  it('the context arrives, with what Python adds to it', async () => {
    const context = { user: 'u1', roles: ['admin'], token: null };
    expect(await client.call('context', {}, { context })).toEqual({ ...context, client_timeout: null });
    expect(await client.prepare({ callMonitorTimeout: 9 }).call('context')).toEqual({ client_timeout: 9 });
  });

  it('refusals have their classes', async () => {
    await expect(client.call('missing')).rejects.toBeInstanceOf(NoSuchMethod);
    await expect(client.call('_private')).rejects.toMatchObject({ code: 'OSLO_NO_METHOD', method: '_private' });
    await expect(client.prepare({ namespace: 'nowhere' }).call('echo')).rejects.toBeInstanceOf(UnsupportedVersion);
    await expect(client.prepare({ version: '1.7' }).call('echo')).rejects.toMatchObject({
      code: 'OSLO_VERSION',
      version: '1.7',
      method: 'echo',
    });
    await expect(client.call('add', { a: 1 })).rejects.toMatchObject({ excType: 'TypeError', module: 'builtins' });
  });

  it('versions and namespaces: two majors side by side, a legacy namespace, a cap', async () => {
    const base = client.prepare({ namespace: 'baseapi' });
    expect(await base.prepare({ version: '1.1' }).call('interface')).toBe('baseapi 1.1');
    expect(await base.prepare({ version: '2.0' }).call('interface')).toBe('baseapi 2.3');
    expect(await client.prepare({ namespace: 'formerly' }).call('interface')).toBe('renamed 1.0');
    const capped = base.prepare({ versionCap: '1.1' });
    expect(await capped.prepare({ version: '1.0' }).call('interface')).toBe('baseapi 1.1');
    await expect(capped.prepare({ version: '1.2' }).call('interface')).rejects.toMatchObject({
      code: 'OSLO_VERSION_CAP',
    });
  });

  it('ValueError("x", 1), with its traceback', async () => {
    const error = await client.call('fail_value').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RemoteError);
    const { excType, module, remoteMessage, args, kwargs, remoteTraceback } = error as RemoteError;
    expect({ excType, module, remoteMessage, args, kwargs }).toEqual({
      excType: 'ValueError',
      module: 'builtins',
      remoteMessage: "('x', 1)",
      args: ['x', 1],
      kwargs: {},
    });
    expect(remoteTraceback[0]).toBe('Traceback (most recent call last):\n');
    expect(remoteTraceback.join('')).toMatch(/in fail_value/);
    expect(remoteTraceback.at(-1)).toBe("ValueError: ('x', 1)\n");
    expect((error as Error).stack).toContain('rpc-our-client.spec.ts');
  });

  it('a registered exception is rebuilt where its module is allowed', async () => {
    const remoteExceptions = { 'harness_errors.HostNotFound': HarnessHostNotFound };
    const knowing = ours.client(target, { remoteExceptions });
    const error = await knowing.call('fail_custom', { host: 'h7' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HarnessHostNotFound);
    expect(error).toMatchObject({ message: 'Host h7 could not be found.', kwargs: { host: 'h7' } });
    const strict = ours.client(target, { remoteExceptions, allowedRemoteExmods: ['nova.exception'] });
    await expect(strict.call('fail_custom', { host: 'h7' })).rejects.toMatchObject({
      name: 'RemoteError',
      excType: 'HostNotFound',
      module: 'harness_errors',
      kwargs: { host: 'h7' },
    });
    await expect(client.call('fail_expected')).rejects.toMatchObject({ excType: 'KeyError', args: ['expected'] });
  });

  it('a failure that Python cannot write is never answered: the call times out', async () => {
    await expect(client.prepare({ timeout: 1 }).call('fail_unserializable')).rejects.toBeInstanceOf(MessagingTimeout);
  });

  it('an exception that we hand on arrives at a Python caller as it was', async () => {
    const proxy = { exchange: 'nova', topic: 'proxy' };
    await ours.serve({ ...proxy, server: 'h' }, [{ methods: { fail_value: () => client.call('fail_value') } }]);
    expect(await python.failure('fail_value', {}, { target: proxy })).toMatchObject({
      class: 'ValueError',
      module: 'builtins',
      args: [expect.stringMatching(/^\('x', 1\)[^]*in fail_value/), 1],
    });
  });

  it('a chosen server, a cast and a fanout', async () => {
    await python.serve({ name: 'two', target: { ...target, server: 'host2' }, offered: ['plain', 'base'] });
    await client.prepare({ server: 'host2' }).call('record', { kind: 'chosen' });
    await client.prepare({ server: 'host1' }).cast('record', { kind: 'cast' });
    await client.fanout('record', { kind: 'fanout' });
    const seen = await eventually(() => {
      const records = [...python.requests('one'), ...python.requests('two')].filter(({ args }) => args['kind']);
      return records.length === 4 && records.map(({ server, args }) => `${server} ${String(args['kind'])}`);
    });
    expect(seen.toSorted()).toEqual(['one cast', 'one fanout', 'two chosen', 'two fanout']);
    await python.stop('two');
  });

  it('a long call is kept alive by Python’s heartbeats', async () => {
    const monitored = client.prepare({ timeout: 30, callMonitorTimeout: 4 });
    expect(await monitored.call('slow', { seconds: 5, result: 'slept' })).toBe('slept');
    expect(client.counters.heartbeats).toBeGreaterThan(1);
  });

  it('a call without heartbeats is given up by its monitor', async () => {
    // Python sends none below two seconds.
    const monitored = client.prepare({ timeout: 20, callMonitorTimeout: 1 });
    await expect(monitored.call('slow', { seconds: 3 })).rejects.toThrow(/heartbeat/);
  });

  it('stray heartbeats after a refusal are no news', async () => {
    const before = client.counters;
    await expect(client.prepare({ callMonitorTimeout: 2 }).call('missing')).rejects.toBeInstanceOf(NoSuchMethod);
    // Python's defect: it goes on for as long as the queue is there.
    await eventually(() => client.counters.heartbeats > before.heartbeats);
    expect(client.counters).toMatchObject({ unknownReplies: before.unknownReplies });
  });

  it('a call that takes too long times out, and its late answer is reported', async () => {
    const before = client.counters.lateReplies;
    await expect(client.prepare({ timeout: 0.5 }).call('slow', { seconds: 3 })).rejects.toMatchObject({
      code: 'OSLO_TIMEOUT',
      method: 'slow',
      target: 'nova/conductor',
    });
    await eventually(() => client.counters.lateReplies > before);
    expect(ours.eventsOf('reply-unmatched').at(-1)).toMatchObject({ reason: 'late', method: 'slow' });
  });

  it('at_least_once to nobody is undeliverable at once', async () => {
    const nobody = client.prepare({ topic: 'nobody', transportOptions: { atLeastOnce: true } });
    await expect(nobody.call('echo')).rejects.toBeInstanceOf(MessageUndeliverable);
    await expect(nobody.cast('echo')).rejects.toBeInstanceOf(MessageUndeliverable);
  });

  it('100 calls at a time, all answered', async () => {
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    expect(await Promise.all(numbers.map((n) => client.call('echo', { n })))).toEqual(numbers.map((n) => ({ n })));
  });

  it('mixed fleet: a Python and one of our servers on one topic share its calls, each gets the fanouts', async () => {
    const fleet = { exchange: 'nova', topic: `fleet` };
    const seen: string[] = [];
    await python.serve({ name: 'python', target: { ...fleet, server: 'p' } });
    await ours.serve({ ...fleet, server: 'o' }, [
      {
        methods: {
          echo: (args: { n: number }) => (seen.push(`ours ${args.n}`), args),
          record: () => seen.push('fanout'),
        },
      },
    ]);
    const ofOurs = ours.client(fleet);
    for (let n = 0; n < 20; n += 1) expect(await ofOurs.call('echo', { n })).toEqual({ n });
    expect(await python.call('echo', { n: 20 }, { target: fleet })).toEqual({ n: 20 });
    const byPython = python.requests('python').filter(({ method }) => method === 'echo').length;
    expect(byPython + seen.length).toBe(21);
    expect(byPython).toBeGreaterThan(0);
    expect(seen.length).toBeGreaterThan(0);
    await ofOurs.fanout('record', { kind: 'all' });
    await eventually(() => seen.at(-1) === 'fanout');
    await python.waitFor('request', ({ server, method }) => server === 'python' && method === 'record');
  });
});
