import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectBroker, RpcServer } from '../../lib/index.js';
import { oslo } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { sharedRabbit, useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';

describe.each(pythonVersions)('what services with oslo.messaging %s say to each other', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_|^notifications/ });
  const server = usePythonPeer({ version, url: () => vhost.url });
  const client = usePythonPeer({ version, url: () => vhost.url });
  const target = { exchange: 'nova', topic: 'conductor' };
  const context = { request_id: 'req-1', auth_token: 'sesame', project_id: 'p1' };
  const directory = mkdtempSync(join(tmpdir(), 'oslo-bus-'));
  const file = join(directory, 'recording');
  const firehose = (change: string) =>
    sharedRabbit().admin.evaluate(`rabbit_trace:${change}(<<"${vhost.name}">>), true`);
  const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
    oslo(commandLine, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url } });
  const requestsOf = (method: string) => server.requests('one').filter((one) => one.method === method);

  /** A command that watches, from the moment at which it does. */
  async function watching(commandLine: string, traffic: () => Promise<void>, options: Parameters<typeof oslo>[1] = {}) {
    const interruption = new AbortController();
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const onErr = (text: string): void => void (text.startsWith('tap: firehose') && begin());
    const result = run(commandLine, { ...options, signal: interruption.signal, onErr });
    await begun;
    await traffic();
    return { result, interrupt: () => interruption.abort() };
  }

  beforeAll(async () => {
    await server.serve({ name: 'one', target: { ...target, server: 'host1' }, offered: ['plain'] });
    await server.listen({ name: 'all', targets: [{ exchange: 'nova', topic: 'notifications' }] });
    await firehose('start');
  });
  afterAll(async () => {
    await firehose('stop');
    rmSync(directory, { recursive: true });
  });

  it('is recorded, without secrets, for its owner alone', async () => {
    const recording = await watching(`record ${file} --exchange nova --json`, async () => {
      await client.call('add', { a: 2, b: 3 }, { target, context });
      await client.call('echo', { text: 'x' }, { target, prepare: { server: 'host1' }, context });
      await client.failure('fail_value', {}, { target, context });
      await client.call('context', {}, { target, context });
      await client.cast('echo', { n: 4 }, { target, context });
      await client.fanout('echo', { n: 5 }, { target, context });
      await eventually(() => requestsOf('echo').length === 3);
    });
    await eventually(() => readFileSync(file, 'utf8').split('\n').length > 16);
    recording.interrupt();
    const { code, documents } = await recording.result;
    expect(code).toBe(0);
    expect(documents).toEqual([
      expect.objectContaining({ v: 1, command: 'record', source: 'firehose', skipped: 0, unwritten: 0 }),
    ]);
    expect(documents[0]?.written).toBe(readFileSync(file, 'utf8').trim().split('\n').length - 1);
    expect(readFileSync(file, 'utf8')).not.toContain('sesame');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is drawn as the timeline of its request', async () => {
    const { code, documents } = await run(`trace req-1 --from ${file} --json`);
    expect(code).toBe(0);
    const [{ spans, omitted }] = documents as [{ spans: Record<string, unknown>[]; omitted: number }];
    expect(omitted).toBe(0);
    expect(spans.map(({ kind, name, state, queue }) => [kind, name, state, queue])).toEqual([
      ['call', 'add', 'answered', 'conductor'],
      ['call', 'echo', 'answered', 'conductor.host1'],
      ['call', 'fail_value', 'failed', 'conductor'],
      ['call', 'context', 'answered', 'conductor'],
      ['cast', 'echo', 'sent', 'conductor'],
      ['fanout', 'echo', 'sent', expect.stringMatching(/^conductor_fanout/)],
    ]);
    const text = await run(`trace req-1 --from ${file}`, { size: { columns: 80, rows: 24 } });
    expect(text.out).toMatch(/^req-1 {2}.*, 4 calls, 1 cast, 1 fanout, 1 failed\n/);
    expect(text.out).toMatch(/fail_value .* FAIL ValueError: /);
  });

  it('is listed and not sent by a dry run, which tells what it would refuse', async () => {
    const before = server.requests('one').length;
    const { code, documents, err } = await run(`replay ${file} --json`);
    expect(code).toBe(0);
    expect(documents.map(({ event, kind, masked }) => [event, kind, masked])).toEqual(
      ['call', 'call', 'call', 'call', 'cast', 'fanout'].map((kind) => ['planned', kind, true]),
    );
    expect(err).toContain('--same-bus');
    expect(err).toContain('secrets are masked in 6 messages');
    expect(server.requests('one')).toHaveLength(before);
  });

  it.each([
    ['the bus that was recorded', '--allow-masked', 64, 'is of this bus'],
    ['masked secrets', '--same-bus', 64, 'secrets are masked'],
    ['a bus that is read-only', '--same-bus --allow-masked --read-only', 77, 'read-only'],
    ['an exchange that is not there', `--allow-masked --to OTHER`, 68, 'there is no exchange'],
  ])('is not sent: %s', async (_what, options, code, reason) => {
    const other = `${vhost.url}-other`;
    if (code === 68) await sharedRabbit().admin.addVhost(`${vhost.name}-other`, 'guest');
    const before = server.requests('one').length;
    const result = await run(`replay ${file} --send ${options.replace('OTHER', other)}`);
    if (code === 68) await sharedRabbit().admin.deleteVhost(`${vhost.name}-other`);
    expect(result).toMatchObject({ code, err: expect.stringContaining(reason) });
    expect(server.requests('one')).toHaveLength(before);
  });

  it('is sent again, under new ids, and answered as before', async () => {
    const before = { echo: requestsOf('echo').length, log: client.log };
    const tap = await watching('tap --exchange nova --json', async () => undefined);
    const replayed = await run(
      `replay ${file} --send --same-bus --context-json '{"auth_token": "mine"}' --speed max --compare --json`,
    );
    await eventually(() => requestsOf('echo').length === before.echo + 3);
    tap.interrupt();
    const { documents: tapped } = await tap.result;
    expect(replayed.code).toBe(0);
    expect(replayed.documents.at(-1)).toMatchObject({
      event: 'end',
      planned: 6,
      published: 6,
      same: 4,
      different: 0,
      notCompared: 2,
    });
    const recorded = readFileSync(file, 'utf8');
    const ids = tapped.flatMap(({ event, id }) => (event === 'request' ? [String(id)] : []));
    expect(ids).toHaveLength(6);
    for (const id of ids) expect(recorded).not.toContain(id);
    expect(requestsOf('echo').at(-1)?.context).toMatchObject({ ...context, auth_token: 'mine' });
    expect(client.log).toBe(before.log);
  });

  it('against a changed service differs in what was changed, and in nothing else', async () => {
    await server.stop('one');
    const broker = await connectBroker(vhost.url);
    const changed = new RpcServer(broker, { ...target, server: 'host1' }, [
      {
        methods: {
          add: ({ a, b }: { a: number; b: number }) => a + b + 1,
          echo: (args: object) => ({ ...args, more: true }),
          fail_value: () => null,
          // As Python hands it to its methods.
          context: (_args: object, { requestContext }: { requestContext: object }) => ({
            ...requestContext,
            client_timeout: null,
          }),
        },
      },
    ]);
    await changed.start();
    const command = `replay ${file} --send --same-bus --allow-masked --kinds call --speed max --compare --json`;
    const { code, documents } = await run(command);
    const ignoring = await run(`${command} --only echo --ignore more`);
    await changed.close();
    await broker.close();
    expect(code).toBe(1);
    const compared = documents.filter(({ event }) => event === 'replayed');
    expect(Object.fromEntries(compared.map(({ method, differences }) => [method, differences]))).toEqual({
      add: [{ path: [], recorded: 5, now: 6 }],
      echo: [{ path: ['more'], now: true }],
      fail_value: [{ path: [], recorded: 'failed: ValueError', now: 'answered' }],
      context: [],
    });
    expect(ignoring).toMatchObject({ code: 0 });
  });
});
