import { describe, expect, it, beforeAll } from 'vitest';
import { oslo } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';

describe.each(pythonVersions)('oslo-bus with oslo.messaging %s', (pythonVersion) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version: pythonVersion, url: () => vhost.url });
  const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
    oslo(commandLine, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url } });
  /** Runs a command that goes on; `then` when it says on stderr that it has begun. */
  const running = async (commandLine: string, then: () => unknown) => {
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const result = run(commandLine, { onErr: (text) => void (/^(listen|serve): /.test(text) && begin()) });
    await Promise.race([begun, result]);
    await then();
    return result;
  };

  describe('versions', () => {
    beforeAll(async () => {
      const target = { exchange: 'nova', topic: 'conductor', server: 'host1' };
      await python.serve({ name: 'one', target, offered: ['plain', 'base', 'base-two', 'renamed'] });
    });

    it('finds those that its endpoints declare, in each namespace', async () => {
      const { code, documents } = await run(
        'versions conductor.host1 --exchange nova --namespace baseapi --namespace renamed --namespace formerly --yes --json',
      );
      expect(code).toBe(0);
      expect(documents.map(({ target, served }) => [(target as { namespace: string }).namespace, served])).toEqual([
        ['baseapi', ['2.3', '1.1']],
        ['renamed', ['1.0']],
        ['formerly', ['1.0']],
      ]);
      expect(python.requests('one')).toEqual([]);
    });

    it('leaves as many errors in its log as it has told', async () => {
      const errors = () => python.log.match(/^ERROR:/gm)?.length ?? 0;
      const before = errors();
      const { documents } = await run('versions conductor --exchange nova --yes --json');
      expect(documents[0]).toMatchObject({ served: ['1.0'], refused: 2 });
      await eventually(() => errors() === before + 2, 'two errors in its log');
    });

    it('why names the highest instead', async () => {
      const { code, out } = await run('why conductor --exchange nova --namespace baseapi --version 3.0');
      expect(code).toBe(1);
      expect(out).toContain('version 3.0 is not served by whoever has answered; the highest it serves: 2.3');
    });
  });

  describe('notifications', () => {
    const heard = () => python.notifications('service');

    beforeAll(() =>
      python.listen({
        name: 'service',
        targets: [{ exchange: 'openstack', topic: 'notifications' }],
        priorities: ['info', 'error'],
      }),
    );

    it('its listener hears notify', async () => {
      const { code, err } = await run(
        'notify compute.end id=i1 --priority error --publisher-id cli.h1 --request-id req-1',
      );
      expect({ code, err }).toEqual({ code: 0, err: expect.not.stringContaining('nobody') });
      await eventually(() => heard().some(({ publisherId }) => publisherId === 'cli.h1'));
      expect(heard().find(({ publisherId }) => publisherId === 'cli.h1')).toMatchObject({
        priority: 'error',
        eventType: 'compute.end',
        payload: { id: 'i1' },
        context: { request_id: 'req-1' },
      });
    });

    it('listen shows what its notifier sends, and its listener hears it, too', async () => {
      const payload = { id: 'i2', nested: [1, null, 'ž'] };
      const { code, documents } = await running('listen --count 1 --event-type python.* --json', () =>
        python.notify({ priority: 'info', event_type: 'python.end', payload, publisher_id: 'python.h1' }),
      );
      expect(code).toBe(0);
      expect(documents[0]).toMatchObject({
        eventType: 'python.end',
        publisherId: 'python.h1',
        priority: 'info',
        payload,
      });
      await eventually(() => heard().some(({ eventType }) => eventType === 'python.end'));
    });

    it('listen and its listeners share a pool', async () => {
      const target = { exchange: 'openstack', topic: 'notifications' };
      await python.listen({ name: 'in the pool', targets: [target], pool: 'audit' });
      await python.stop('in the pool');
      await python.notify({ priority: 'info', event_type: 'while nobody listens', payload: {} });
      const { documents } = await run('listen --pool audit --priority info --count 1 --for 20s --json');
      expect(documents[0]).toMatchObject({ eventType: 'while nobody listens', queue: 'audit' });
    });
  });

  describe('serve', () => {
    const target = { exchange: 'nova', topic: 'standin' };
    const serve = (rest: string) => `serve standin --exchange nova --server host9 --for 60s ${rest}`;

    it('answers its client', async () => {
      const { documents } = await running(serve('--echo --count 2 --json'), async () => {
        const args = { n: 1, text: 'ž', nested: [null, { a: true }] };
        expect(await python.call('ping', args, { target, prepare: { server: 'host9' } })).toEqual(args);
        await python.cast('work', {}, { target: { ...target, namespace: 'baseapi' } });
      });
      expect(documents.map(({ kind, method }) => [kind, method])).toEqual([
        ['call', 'ping'],
        ['cast', 'work'],
        [undefined, undefined],
      ]);
    });

    it('fails as its servers fail', async () => {
      await running(serve("--fail 'builtins.KeyError:missing' --count 1"), async () => {
        expect(await python.failure('ping', {}, { target, allowed_remote_exmods: ['builtins'] })).toMatchObject({
          class: expect.stringMatching(/^KeyError/),
          args: [expect.stringMatching(/^missing/)],
        });
      });
      await running(serve('--echo --version 1.4 --for 10s --count 1'), async () => {
        const tooNew = { ...target, version: '1.5' };
        expect(await python.failure('ping', {}, { target: tooNew })).toMatchObject({ exc_type: 'UnsupportedVersion' });
      });
    });
  });
});
