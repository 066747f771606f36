import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, MessagingTimeout, RpcClient, RpcServer } from '../../../lib/index.js';
import { oslo } from '../../support/command-line.js';
import { eventually } from '../../support/eventually.js';
import { sharedRabbit, useVhost } from '../../support/rabbit.js';

const vhost = useVhost();
let broker: Broker;
let server: RpcServer;
let client: RpcClient;

const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
  oslo(commandLine, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url } });

/** A command that watches the bus, from the moment at which it says so. */
async function watching(commandLine: string, begins: string, options: Parameters<typeof oslo>[1] = {}) {
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const result = run(commandLine, { ...options, onErr: (text) => void (text.startsWith(begins) && begin()) });
  await begun;
  return { result };
}

function firehose(change: 'start' | 'stop'): Promise<unknown> {
  return sharedRabbit().admin.evaluate(`rabbit_trace:${change}(<<"${vhost.name}">>), true`);
}

beforeAll(async () => {
  broker = await connectBroker(vhost.url);
  broker.events.subscribe(() => undefined);
  const boom = (): never => {
    throw new TypeError('no such host');
  };
  server = new RpcServer(broker, { exchange: 'openstack', topic: 'conductor', server: 'host1' }, [
    { version: '1.1', methods: { ping: () => 'pong', boom } },
  ]);
  await server.start();
  client = new RpcClient(broker, { topic: 'conductor' }, { timeout: 5 });
});
afterAll(async () => {
  await client.close();
  await server.close();
  await broker.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});
afterEach(() => firehose('stop'));

describe('tap', () => {
  it('--deliveries shows each server that gets a fanout', async () => {
    await firehose('start');
    const other = new RpcServer(broker, { exchange: 'openstack', topic: 'conductor', server: 'host2' }, []);
    await other.start();
    const { result } = await watching(
      'tap --json --deliveries --kinds fanout --exchange openstack --exchange nova --count 3 --for 20s',
      'tap: firehose',
    );
    const client = new RpcClient(broker, { topic: 'conductor' });
    await client.fanout('ping');
    const { code, documents } = await result;
    await client.close();
    await other.close();
    expect(code).toBe(0);
    const deliveries = documents.filter(({ event }) => event === 'delivery');
    expect(new Set(deliveries.map(({ queue }) => queue)).size).toBe(2);
    expect(deliveries[0]).toMatchObject({ kind: 'fanout', name: 'ping', redelivered: false, conn: expect.any(String) });
  });

  it('by a binding tells of no deadline, as it sees no answers', async () => {
    // Its reply queue is there from then on: what times out sooner is not sent.
    await client.call('ping');
    const { result } = await watching('tap --topic conductor --json --source binding --until-idle 3s', 'tap: binding');
    // Answered or not: the tap sees the same.
    const impatient = client.prepare({ timeout: 0.2 });
    await impatient.call('ping').catch((error: unknown) => expect(error).toBeInstanceOf(MessagingTimeout));
    const { code, documents } = await result;
    const told = documents.map(({ event, state }) => [event, state]);
    expect({ code, told }).toEqual({
      code: 0,
      told: [
        ['request', 'waiting'],
        ['end', undefined],
      ],
    });
  });
});

describe('trace', () => {
  it('watches the bus until the request is quiet, and draws it', async () => {
    await firehose('start');
    const { result } = await watching('trace req-1 --until-idle 4s --json --for 40s', 'tap: firehose');
    const client = new RpcClient(broker, { topic: 'conductor' }, { timeout: 5 });
    await client.call('ping', {}, { context: { request_id: 'req-1' } });
    await client.call('ping', {}, { context: { request_id: 'req-2' } });
    await client.call('boom', {}, { context: { request_id: 'req-3', global_request_id: 'req-1' } }).catch(() => 0);
    const { code, documents } = await result;
    await client.close();
    expect(code).toBe(0);
    expect(documents).toEqual([
      expect.objectContaining({
        v: 1,
        command: 'trace',
        requestId: 'req-1',
        omitted: 0,
        spans: [
          expect.objectContaining({ name: 'ping', queue: 'conductor', state: 'answered' }),
          expect.objectContaining({ name: 'boom', state: 'failed', failure: expect.anything() }),
        ],
      }),
    ]);
  });

  it('--follow draws over what it has drawn, and ends when it is interrupted', async () => {
    const interruption = new AbortController();
    let shown = '';
    const { result } = await watching('trace req-1 --topic conductor --follow', 'tap: binding', {
      size: { columns: 80, rows: 24 },
      signal: interruption.signal,
      onOut: (text) => (shown += text),
    });
    const client = new RpcClient(broker, { topic: 'conductor' });
    await client.cast('ping', {}, { context: { request_id: 'req-1' } });
    await eventually(() => shown.includes('1 cast'));
    await client.cast('ping', {}, { context: { request_id: 'req-1' } });
    await eventually(() => shown.includes('2 casts'));
    interruption.abort();
    const { code, out } = await result;
    await client.close();
    expect(code).toBe(0);
    // Three lines up: that many were drawn of one message.
    expect(out).toMatch(/1 cast\n[^]*\u001b\[3A\u001b\[Jreq-1 {2}[^]*2 casts\n/);
  });

  it.each([
    ['trace req-1 --from /nowhere/recording', 74],
    ['trace req-1 --from package.json', 74],
    ['trace req-1 --from package.json --follow', 64],
    ['replay /nowhere/recording', 74],
    ['replay package.json --speed 3', 64],
    ['replay package.json --kinds nonsense', 64],
    ['record /nowhere/recording --topic conductor', 74],
    // A disk that is full ends it: nothing else does here.
    ['record /dev/full --topic conductor', 74],
    ['tap --record /dev/full --topic conductor', 74],
  ])('%s ends with %i', async (commandLine, code) => {
    expect(await run(commandLine)).toMatchObject({ code, err: expect.stringMatching(/./) });
  });
});

describe('top', () => {
  it('has rates, latencies, errors, what waits and who takes it, per topic and method', async () => {
    await firehose('start');
    const interruption = new AbortController();
    const tables: { rows: Record<string, number | string>[] }[] = [];
    const rowsOf = (name: string, kind: string) =>
      tables.flatMap(({ rows }) => rows.filter((row) => row.name === name && row.kind === kind));
    const sumOf = (column: string, name: string, kind = 'call') =>
      rowsOf(name, kind).reduce((sum, row) => sum + Number(row[column]), 0);
    const { result } = await watching('top --interval 500ms --json', 'tap: firehose', {
      signal: interruption.signal,
      onOut: (text) => tables.push(JSON.parse(text)),
    });
    await client.call('boom').catch(() => undefined);
    for (let n = 0; n < 3; n++) await client.call('ping');
    await client.fanout('ping');
    await eventually(() => sumOf('messages', 'ping', 'fanout') === 1);
    interruption.abort();
    expect(await result).toMatchObject({ code: 0 });
    const column = (name: string) => [sumOf('messages', name), sumOf('answered', name), sumOf('errors', name)];
    expect({ ping: column('ping'), boom: column('boom') }).toEqual({ ping: [3, 3, 0], boom: [1, 1, 1] });
    // In those before it one may have been in flight.
    const answered = rowsOf('ping', 'call').findLast((row) => Number(row.answered) > 0);
    expect(answered).toMatchObject({
      exchange: 'openstack',
      topic: 'conductor',
      backlog: 0,
      consumers: 1,
      inFlight: 0,
    });
    expect(Number(answered?.rate)).toBeGreaterThan(0);
    expect(Number(answered?.p99Ms)).toBeGreaterThanOrEqual(Number(answered?.p50Ms));
    expect(tables[0]).toMatchObject({ v: 1, command: 'top', source: 'firehose', skipped: 0 });
  });

  it('draws over its table on a terminal, sorts it by a key, and ends with q', async () => {
    let press: (key: string) => void = () => undefined;
    let released = false;
    let shown = '';
    const keys = (pressed: (key: string) => void) => {
      press = pressed;
      return () => void (released = true);
    };
    const { result } = await watching('top --topic conductor --interval 200ms', 'tap: bound', {
      size: { columns: 100, rows: 24 },
      keys,
      onOut: (text) => (shown += text),
    });
    await client.cast('ping');
    await eventually(() => shown.includes('ping'));
    await eventually(() => shown.includes('\u001b[J'));
    press('r');
    await eventually(() => shown.includes('sorted again'));
    press('q');
    const { code, out } = await result;
    expect({ code, released }).toEqual({ code: 0, released: true });
    expect(out).toMatch(/topic +method +kind +rate\/s +p50 ms +p99 ms +errors +flight +backlog +consumers\n/);
    // Without answers there are no latencies.
    expect(out).toMatch(/conductor +ping +cast +[\d.]+ +- +- +- +- +0 +1\n/);
  });
});

describe('replay', () => {
  it('knows the bus that was recorded by the name that it gives itself, whatever the URL calls its host', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'oslo-bus-'));
    const file = join(folder, 'recording');
    const { result } = await watching(
      `record ${file} --source binding --topic conductor --count 1 --for 20s`,
      'tap: binding',
    );
    const client = new RpcClient(broker, { topic: 'conductor' });
    await client.cast('ping');
    await client.close();
    expect((await result).code).toBe(0);
    // As a recording that was made elsewhere, through another address of the same broker.
    const [head = '', ...records] = readFileSync(file, 'utf8').split('\n');
    const { cluster, ...facts } = JSON.parse(head) as Record<string, unknown>;
    const { value: name } = await sharedRabbit().admin.evaluate<{ value: string }>(
      '#{value => rabbit_nodes:cluster_name()}',
    );
    expect(cluster).toBe(name);
    const url = String(facts.url).replace('127.0.0.1', 'ctl1.example.org');
    const replay = (cluster: unknown) => {
      writeFileSync(file, [JSON.stringify({ ...facts, url, cluster }), ...records].join('\n'));
      return run(`replay ${file} --send --allow-masked --speed max`);
    };
    expect(await replay(cluster)).toMatchObject({ code: 64, err: expect.stringContaining('--same-bus') });
    expect(await replay('rabbit@elsewhere')).toMatchObject({ code: 0, err: expect.stringContaining('1 of 1 sent') });
    rmSync(folder, { recursive: true });
  });
});
