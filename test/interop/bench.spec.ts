import { type ChildProcess, fork } from 'node:child_process';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oslo } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { usePythonPeer } from './support/python-peer.js';
import { specFolder } from '../support/spec-folder.js';

describe('bench beside a server in Python', () => {
  const folder = specFolder();
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const server = usePythonPeer({ version: '18.3.1', url: () => vhost.url });
  let program: string;
  const children: ChildProcess[] = [];
  const run = (commandLine: string) =>
    oslo(`${commandLine} --exchange nova --warmup 50ms`, { env: { OSLO_TRANSPORT_URL: vhost.url } });

  beforeAll(async () => {
    await server.serve({ name: 'one', target: { exchange: 'nova', topic: 'conductor', server: 'host1' } });
    await server.listen({ name: 'listener', targets: [{ exchange: 'nova', topic: 'heard' }], priorities: ['info'] });
    const bundled = await rolldown({
      input: resolve('lib/cli/main.ts'),
      external: (id) => /^(node:|@platformatic\/kafka|seek-bzip)/.test(id),
      platform: 'node',
      resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    });
    program = join(folder, 'oslo-bus.mjs');
    await bundled.write({ file: program, codeSplitting: false });
    await bundled.close();
  });
  afterAll(() => {
    for (const child of children) child.kill();
  });

  it('a method that is called so many times has run so many times', async () => {
    const { code, documents, err } = await run(
      "bench call conductor echo --concurrency 4 --count 40 --size 200B --expect 'errors=0' --json",
    );
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining('closed, 4 at a time, 40 of them') });
    const [result] = documents;
    expect(result).toMatchObject({
      v: 1,
      command: 'bench',
      kind: 'call',
      target: { exchange: 'nova', topic: 'conductor' },
      method: 'echo',
      model: { name: 'closed', concurrency: 4 },
      failed: 0,
      timedOut: 0,
      unsent: 0,
      late: 0,
      reasons: [],
      ours: { cpuPercent: expect.any(Number), memoryBytes: expect.any(Number) },
      expectations: [{ text: 'errors=0', actual: 0, met: true }],
    });
    expect(result).toMatchObject({ sent: 40, answered: 40 });
    // Those of the warm-up ran as well.
    const requests = server.requests('one');
    expect(requests.length).toBeGreaterThan(40);
    for (const { args } of requests) expect(args).toEqual({ data: 'x'.repeat(200) });
  });

  it('the default runs nothing, and keeps its rate', async () => {
    const before = server.requests().length;
    const { code, documents } = await run('bench call conductor --version 1.0 --rate 50/s --duration 2s --json');
    expect(code).toBe(0);
    expect(documents[0]).toMatchObject({
      model: { name: 'open', perSecond: 50 },
      sent: 100,
      answered: 100,
      behindMs: { p50: expect.any(Number) },
    });
    expect(server.requests().length).toBe(before);
  });

  it('an expectation that is missed, and failures, are told; exit 1', async () => {
    const { code, out } = await run("bench call conductor none --count 5 --expect 'errors=0,p99<1h'");
    expect(code).toBe(1);
    expect(out).toMatch(/^sent 5 {3}answered 0 {3}failed 5 /);
    expect(out).toContain('5 times: NoSuchMethod: ');
    expect(out).toMatch(/MISS {2}errors=0 {2}\(5\)\nok {4}p99<1h/);
    expect(out).toMatch(/ours: \d+ % CPU, \d+ MB/);
  });

  it('a call that is not answered in time counts with the time that it has waited', async () => {
    const { documents } = await run(
      `bench call conductor slow --args '{"seconds": 5}' --rate 4/s --duration 1s --timeout 500ms --json`,
    );
    expect(documents[0]).toMatchObject({ sent: 4, answered: 0, timedOut: 4, latencyMs: { min: expect.any(Number) } });
    expect((documents[0] as { latencyMs: { min: number } }).latencyMs.min).toBeGreaterThanOrEqual(499);
  });

  it.each([
    ['a version that is not served', 'call conductor --version 9.9', 1],
    ['nobody', 'call nobody --version 1.0', 68],
    ['nobody of casts', 'cast nobody --version 1.0', 68],
    ['no exchange', 'call conductor --exchange none', 68],
    ['notifications that nobody takes', 'notify unheard', 68],
    ['two models', 'call conductor --rate 1 --concurrency 1', 64],
    ['another kind', 'fanout conductor', 64],
    ['a bus that is read-only', 'call conductor --read-only', 77],
  ])('%s is known before anything is sent', async (_what, rest, code) => {
    const line = rest.includes('--exchange') ? `bench ${rest} --count 3` : `bench ${rest} --count 3 --exchange nova`;
    expect(await oslo(line, { env: { OSLO_TRANSPORT_URL: vhost.url } })).toMatchObject({ code, out: '' });
    expect((await vhost.listQueues()).map(({ name }) => name)).not.toContain('unheard.info');
  });

  it('casts and notifications arrive', async () => {
    const casts = server.requests().filter(({ method }) => method === 'record').length;
    const cast = await run('bench cast conductor record --count 20 --concurrency 5 --json');
    const { sent } = cast.documents[0] as { sent: number };
    await eventually(
      () => server.requests().filter(({ method }) => method === 'record').length >= casts + sent,
      'the casts',
    );
    const told = await run('bench notify heard --count 20 --json');
    expect(told).toMatchObject({ code: 0, documents: [{ kind: 'notify', method: 'oslo_bus.bench', failed: 0 }] });
    await eventually(() => server.notifications('listener').length >= 20, 'the notifications');
  });

  it('several processes share the load, and are added up', async () => {
    const before = server.requests('one').filter(({ method }) => method === 'echo').length;
    const line = ['bench', 'call', 'conductor', 'echo', '--exchange', 'nova', '--transport-url', vhost.url];
    const several = ['--processes', '3', '--concurrency', '6', '--count', '60', '--warmup', '50ms', '--json'];
    const child = fork(program, [...line, ...several], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    children.push(child);
    let [out, err] = ['', ''];
    child.stdout!.on('data', (text) => (out += String(text)));
    child.stderr!.on('data', (text) => (err += String(text)));
    const code = await new Promise((ended) => child.once('close', ended));
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining('3 processes') });
    const result: unknown = JSON.parse(out);
    expect(result).toMatchObject({ processes: 3, sent: 60, answered: 60 });
    const ran = server.requests('one').filter(({ method }) => method === 'echo').length - before;
    expect(ran).toBeGreaterThanOrEqual(60);
    // It is said once to which bus they speak.
    expect(err.match(/^bus /gm)).toHaveLength(1);
  });
});
