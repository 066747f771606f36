import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IncomingNotification, NotificationListener, NotifierCore, type RpcClient } from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { allPythonVersions, oldestPythonVersion, type PythonNotified, usePythonPeer } from './support/python-peer.js';
import { useRpcEnds } from './support/rpc-ends.js';
import { HarnessHostNotFound, servedMethods } from './support/served-methods.js';

const VALUES = {
  clé: 'Příliš žluťoučký kůň 日本語 🐎 \u2028\u0000',
  numbers: [1, 1.5, 2n ** 60n, -(2n ** 60n), 10n ** 30n],
  nested: { list: [1, [2, { three: [] }]], empty: {}, nothing: null, yes: true },
};
const CONTEXT = { user: 'u1', roles: ['admin'], token: null };
const HARNESS_ERRORS = { 'harness_errors.HostNotFound': HarnessHostNotFound };
const DRIVERS = [['messaging'], ['messagingv2']] as const;

describe.each(allPythonVersions)('oslo.messaging %s and ours', (version) => {
  const isOldest = version === oldestPythonVersion;
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version, url: () => vhost.url });
  const ours = useRpcEnds(() => vhost.url);

  // Servers before 9.2 answer through an exchange of the caller's; all others take no notice of it.
  describe.each(isOldest ? [true] : [false, true])(
    'ours calls Python, legacyReplyExchange: %s',
    (legacyReplyExchange) => {
      const target = { exchange: 'nova', topic: `python-${legacyReplyExchange}` };
      const name = target.topic;
      let client: RpcClient;

      beforeAll(async () => {
        await python.serve({ name, target: { ...target, server: 'host1' } });
        client = ours.client(
          target,
          { timeout: 20, remoteExceptions: HARNESS_ERRORS },
          ours.broker({ legacyReplyExchange }),
        );
      });

      it('a call, with its arguments and its result', async () => {
        expect(await client.call('echo', VALUES)).toEqual(VALUES);
        expect(await client.call('null')).toBeNull();
      });

      it('a call without the envelope', async () => {
        const broker = ours.broker({ legacyReplyExchange, legacyBareMessages: true });
        expect(await ours.client(target, { timeout: 20 }, broker).call('echo', VALUES)).toEqual(VALUES);
      });

      it('several calls at a time', async () => {
        const numbers = [1, 2, 3];
        expect(await Promise.all(numbers.map((n) => client.call('echo', { n })))).toEqual(numbers.map((n) => ({ n })));
      });

      it('the context', async () => {
        // The oldest has no call monitor.
        const added = isOldest ? {} : { client_timeout: null };
        expect(await client.call('context', {}, { context: CONTEXT })).toEqual({ ...CONTEXT, ...added });
      });

      it('an error: its class, message and arguments', async () => {
        await expect(client.call('fail_value')).rejects.toMatchObject({
          excType: 'ValueError',
          module: 'builtins',
          remoteMessage: "('x', 1)",
          args: ['x', 1],
          remoteTraceback: expect.arrayContaining([expect.stringContaining('in fail_value')]),
        });
        const rebuilt = await client.call('fail_custom', { host: 'h7' }).catch((error: unknown) => error);
        expect(rebuilt).toBeInstanceOf(HarnessHostNotFound);
        expect(rebuilt).toMatchObject({ message: 'Host h7 could not be found.', kwargs: { host: 'h7' } });
        await expect(client.call('missing')).rejects.toMatchObject({ code: 'OSLO_NO_METHOD', method: 'missing' });
        await expect(client.prepare({ version: '1.7' }).call('echo')).rejects.toMatchObject({ code: 'OSLO_VERSION' });
      });

      it('a cast and a fanout', async () => {
        await client.prepare({ server: 'host1' }).cast('record', { kind: 'cast' }, { context: CONTEXT });
        await client.fanout('record', { kind: 'fanout', values: VALUES });
        const seen = await eventually(() => {
          const records = python.requests(name).filter(({ method }) => method === 'record');
          return records.length === 2 && records;
        });
        expect(seen.map(({ args }) => args['kind']).toSorted()).toEqual(['cast', 'fanout']);
        expect(seen.find(({ args }) => args['kind'] === 'cast')?.context).toMatchObject(CONTEXT);
        expect(seen.find(({ args }) => args['kind'] === 'fanout')?.args).toEqual({ kind: 'fanout', values: VALUES });
      });
    },
  );

  // Callers before 1.12 read no answer that is one message.
  describe.each(isOldest ? [true] : [false, true])(
    'Python calls ours, legacyTwoMessageReplies: %s',
    (legacyTwoMessageReplies) => {
      const target = { exchange: 'nova', topic: `ours-${legacyTwoMessageReplies}` };
      const recorded: { args: Record<string, unknown>; context: object }[] = [];

      beforeAll(async () => {
        const methods = servedMethods()
          .set('record', (args: Record<string, unknown>, { requestContext: context }) => {
            recorded.push({ args, context });
          })
          .set('null', () => null);
        const options = { remoteExceptions: HARNESS_ERRORS, legacyTwoMessageReplies };
        await ours.serve({ ...target, server: 'host1' }, [{ methods }], options);
      });

      it('a call, with its arguments and its result', async () => {
        expect(await python.call('echo', VALUES, { target })).toEqual(VALUES);
        expect(await python.call('null', {}, { target })).toBeNull();
        expect(await python.call('kind', { value: 2n ** 60n }, { target })).toEqual(['bigint', '1152921504606846976']);
      });

      it('several calls at a time', async () => {
        const numbers = Array.from({ length: 20 }, (_, n) => n);
        const answers = numbers.map((n) => python.call('echo', { n }, { target }));
        expect(await Promise.all(answers)).toEqual(numbers.map((n) => ({ n })));
      });

      it('the context', async () => {
        expect(await python.call('context', {}, { target, context: CONTEXT })).toEqual(CONTEXT);
      });

      it('an error: its class, message and arguments', async () => {
        const known = await python.failure('fail_host', {}, { target, allowed_remote_exmods: ['harness_errors'] });
        expect(known).toMatchObject({
          class: 'HostNotFound_Remote',
          mro: expect.arrayContaining(['harness_errors.HostNotFound']),
          kwargs: { host: 'host9' },
        });
        expect(known.args[0]).toMatch(/^Host host9 could not be found\./);
        expect(await python.failure('fail_host', {}, { target })).toMatchObject({
          class: 'RemoteError',
          exc_type: 'HostNotFound',
          value: 'Host host9 could not be found.',
        });
        const builtin = await python.failure('fail_range_error', {}, { target });
        expect(builtin).toMatchObject({ class: 'ValueError', module: 'builtins' });
        expect(builtin.args[0]).toMatch(/^told to fail[^]*served-methods\.ts/);
        expect(await python.failure('missing', {}, { target })).toMatchObject({ exc_type: 'NoSuchMethod' });
      });

      it('a cast and a fanout', async () => {
        const host1 = { target, prepare: { server: 'host1' }, context: CONTEXT };
        await python.cast('record', { kind: 'cast' }, host1);
        await python.fanout('record', { kind: 'fanout', values: VALUES }, { target });
        await eventually(() => recorded.length === 2);
        expect(recorded.toSorted((a, b) => String(a.args['kind']).localeCompare(String(b.args['kind'])))).toEqual([
          { args: { kind: 'cast' }, context: CONTEXT },
          { args: { kind: 'fanout', values: VALUES }, context: {} },
        ]);
      });
    },
  );

  describe('notifications', () => {
    const broker = (): ReturnType<typeof ours.broker> => (opened ??= ours.broker());
    const listeners: NotificationListener[] = [];
    let opened: ReturnType<typeof ours.broker> | undefined;
    afterAll(() => Promise.all(listeners.map((listener) => listener.close())));

    it.each(DRIVERS)('by ours, with the driver %s', async (driver) => {
      const topic = `from-ours-${driver}`;
      await python.listen({
        name: topic,
        targets: [{ exchange: 'nova', topic }],
        priorities: ['info', 'error'],
      });
      const notifier = new NotifierCore(broker(), {
        publisherId: 'nest.host1',
        exchange: 'nova',
        driver,
        topics: [topic],
      });
      await notifier.info('compute.info', VALUES, { context: { user: 'u1' } });
      await notifier.error('compute.error', VALUES, { context: { user: 'u1' } });
      const told = await eventually(() => {
        const all = python.events.filter(
          (event): event is PythonNotified => event.event === 'notification' && event.listener === topic,
        );
        return all.length === 2 && all;
      });
      expect(told.map(({ priority }) => priority).toSorted()).toEqual(['error', 'info']);
      for (const { priority, ...one } of told) {
        expect(one).toMatchObject({
          publisherId: 'nest.host1',
          eventType: `compute.${priority}`,
          payload: VALUES,
          context: { user: 'u1' },
        });
        expect(one.metadata.message_id).toMatch(/^[0-9a-f-]{36}$/);
      }
    });

    it.each(DRIVERS)('by Python, with the driver %s', async (driver) => {
      const topic = `from-python-${driver}`;
      const heard: IncomingNotification[] = [];
      const listener = new NotificationListener(broker(), [
        { topics: [topic], priorities: ['info', 'error'], handler: (notification) => void heard.push(notification) },
      ]);
      listeners.push(listener);
      await listener.start();
      for (const priority of ['info', 'error'] as const) {
        await python.notify({
          priority,
          event_type: `compute.${priority}`,
          payload: VALUES,
          driver,
          topics: [topic],
          context: { user: 'u1' },
        });
      }
      await eventually(() => listener.counters.acknowledged === 2);
      expect(heard.map(({ priority }) => priority).toSorted()).toEqual(['error', 'info']);
      for (const one of heard) {
        expect(one).toMatchObject({
          publisherId: 'python.host1',
          eventType: `compute.${one.priority}`,
          payload: VALUES,
          requestContext: { user: 'u1' },
        });
        expect(Math.abs(Date.now() - one.timestamp!.getTime())).toBeLessThan(60_000);
      }
    });
  });
});
