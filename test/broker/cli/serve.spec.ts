import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, RpcClient, RpcServer } from '../../../lib/index.js';
import { oslo } from '../../support/command-line.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { specFolder } from '../../support/spec-folder.js';

const vhost = useVhost();
const folder = specFolder();
let broker: Broker;
let client: RpcClient;

const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
  oslo(commandLine, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url } });

/** Runs `serve`; `then` when it serves. Ends it, unless it ends by itself. */
async function serving(commandLine: string, then: () => Promise<unknown>) {
  const interruption = new AbortController();
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const result = run(commandLine, {
    signal: interruption.signal,
    onErr: (text) => void (text.startsWith('serve: ') && begin()),
  });
  await Promise.race([begun, result]);
  try {
    await then();
  } finally {
    if (!commandLine.includes('--count')) interruption.abort();
  }
  return result;
}

const queues = async () =>
  (await vhost.listQueues()).map(({ name }) => name).filter((name) => !name.startsWith('reply_'));

beforeAll(async () => {
  broker = await connectBroker(vhost.url);
  broker.events.subscribe(() => undefined);
  client = new RpcClient(broker, { topic: 'standin', version: '1.0' }, { timeout: 10 });
});
afterAll(async () => {
  await client.close();
  await broker.close();
});
afterEach(async () => {
  for (const name of await queues()) await vhost.deleteQueue(name);
});

describe('serve', () => {
  it('answers calls, casts and fanouts, tells them, and leaves no queue', async () => {
    const { code, documents, err } = await serving('serve standin --server host9 --echo --count 3 --json', async () => {
      const context = { request_id: 'req-1', auth_token: 'sesame' };
      expect(await client.call('ping', { n: 1, password: 'hunter2' }, { context })).toEqual({
        n: 1,
        password: 'hunter2',
      });
      await client.prepare({ server: 'host9', namespace: 'baseapi' }).cast('pong', {});
      await client.fanout('reload', {});
    });
    expect(code).toBe(0);
    expect(documents).toHaveLength(4);
    expect(documents).toEqual(
      expect.arrayContaining([
        {
          v: 1,
          command: 'serve',
          event: 'request',
          at: expect.any(String),
          kind: 'call',
          target: {
            exchange: 'openstack',
            topic: 'standin',
            server: 'host9',
            namespace: null,
            version: '1.0',
            fanout: false,
          },
          method: 'ping',
          args: { n: 1, password: '***' },
          requestId: 'req-1',
          elapsedMs: expect.any(Number),
          outcome: 'ok',
          result: { n: 1, password: '***' },
        },
        expect.objectContaining({ kind: 'cast', method: 'pong' }),
        expect.objectContaining({ kind: 'fanout', method: 'reload' }),
      ]),
    );
    expect(documents.at(-1)).toMatchObject({ event: 'end', requests: 3 });
    expect(err).toContain('stands in for host9');
    expect(await queues()).toEqual([]);
  });

  it('for people is a line for each request', async () => {
    const { out } = await serving("serve standin --fail 'nova.exception.HostNotFound:no host'", async () => {
      await expect(client.call('find', { name: 'a\u001b[31m' })).rejects.toMatchObject({
        module: 'nova.exception',
        excType: 'HostNotFound',
        remoteMessage: 'no host',
        args: ['no host'],
      });
    });
    expect(out).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}call {4}find v1\.0 name="a\\u001b\[31m" .*FAIL .*HostNotFound: no host\n$/,
    );
  });

  it('runs a command for each request', async () => {
    const seenBy = join(folder, 'seen');
    await serving(`serve standin --exec 'cat > ${seenBy}; echo [1, 2]'`, async () => {
      expect(await client.call('ping', { n: 1 }, { context: { user: 'u1' } })).toEqual([1, 2]);
    });
    expect(JSON.parse(readFileSync(seenBy, 'utf8'))).toEqual({
      kind: 'call',
      method: 'ping',
      namespace: null,
      version: '1.0',
      args: { n: 1 },
      context: { user: 'u1' },
    });
    await serving("serve standin --exec 'echo just text'", async () =>
      expect(await client.call('ping')).toBe('just text'),
    );
    await serving("serve standin --exec 'true'", async () => expect(await client.call('ping')).toBeNull());
    await serving("serve standin --exec 'echo one >&2; echo two >&2; exit 4'", async () => {
      await expect(client.call('ping')).rejects.toMatchObject({ excType: 'Exception', remoteMessage: 'two' });
    });
  });

  it('takes no more requests than are counted: the others wait for somebody else', async () => {
    // Their queue, and their requests, are there before.
    const server = new RpcServer(broker, { topic: 'standin', server: 'host9' }, [{ methods: {} }]);
    await server.start();
    await server.close();
    for (let n = 0; n < 5; n++) await client.cast('work', { n });
    const { documents } = await run('serve standin --server host9 --echo --count 2 --delay 50ms --json');
    expect(documents.map(({ args, outcome }) => [args, outcome])).toEqual([
      [{ n: 0 }, 'ok'],
      [{ n: 1 }, 'ok'],
      [undefined, undefined],
    ]);
    expect((await vhost.queue('standin'))?.messagesReady).toBe(3);
  });

  it('joins a topic that has servers only when it is told to', async () => {
    const server = new RpcServer(broker, { topic: 'standin', server: 'host1' }, [{ methods: {} }]);
    await server.start();
    expect(await run('serve standin --echo')).toMatchObject({ code: 64, err: expect.stringContaining('--beside') });
    await serving('serve standin --server host9 --echo --beside', async () => {
      expect(await client.prepare({ server: 'host9' }).call('ping', { n: 1 })).toEqual({ n: 1 });
    });
    // That queue is the server's, too.
    expect(await queues()).toContain('standin');
    await server.close();
  });

  it('what waits at its end stays, and is told', async () => {
    const go = join(folder, 'go');
    const whenToldTo = `--exec 'until [ -e ${go} ]; do sleep 0.05; done; echo 1'`;
    const { err } = await serving(`serve standin --server host9 --count 1 ${whenToldTo}`, async () => {
      for (let n = 0; n < 3; n++) await client.cast('work', { n });
      writeFileSync(go, '');
    });
    expect(err).toContain("'standin' stays, with 2 waiting");
    expect(await queues()).toEqual(['standin']);
  });

  it('is found, and probed, as other servers are', async () => {
    await serving('serve standin --server host9 --version 1.4 --echo', async () => {
      expect(await run('ping standin.host9 --version 1.0')).toMatchObject({ code: 0 });
      expect((await run('versions standin.host9 --yes --json')).documents[0]).toMatchObject({ served: ['1.4'] });
    });
  });

  it('an end interrupts what it delays', async () => {
    let failed: Promise<unknown> = Promise.resolve();
    await serving('serve standin --reply 1 --delay 1h --json', async () => {
      failed = client.call('ping').catch((error: unknown) => error);
      await eventually(async () => (await vhost.queue('standin'))?.messagesReady === 0);
    });
    expect(await failed).toMatchObject({ excType: 'TimeoutError' });
  });

  it.each([
    ['serve standin', 64],
    ['serve standin --echo --reply 1', 64],
    ['serve standin --fail 12', 64],
    ['serve standin --routes /nowhere', 74],
    ['serve standin --echo --version soon', 64],
    ['serve standin --echo --read-only', 77],
    ['serve standin --echo --idle 100ms', 0],
  ])('%s ends with %i', async (commandLine, code) => {
    expect(await run(commandLine)).toMatchObject({ code });
    expect(await queues()).toEqual([]);
  });
});
