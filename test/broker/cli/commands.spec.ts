import amqp, { type Channel, type ChannelModel } from 'amqplib';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, NotifierCore, RpcClient, RpcServer } from '../../../lib/index.js';
import { RecordingReader } from '../../../lib/observe/traffic/recording.js';
import { eventually } from '../../support/eventually.js';
import { oslo, quietProgram } from '../../support/command-line.js';
import { sharedRabbit, useVhost } from '../../support/rabbit.js';
import { specFolder } from '../../support/spec-folder.js';

const vhost = useVhost();
let broker: Broker;
let server: RpcServer;
let connection: ChannelModel;
let channel: Channel;
const held: (() => void)[] = [];
let seen: { method: string; args: unknown; context: Record<string, unknown> }[] = [];

const home = specFolder();
const run = (commandLine: Parameters<typeof oslo>[0], options: Parameters<typeof oslo>[1] = {}) =>
  oslo(commandLine, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url, XDG_CONFIG_HOME: home, ...options.env } });

function firehose(change: 'start' | 'stop'): Promise<unknown> {
  return sharedRabbit().admin.evaluate(`rabbit_trace:${change}(<<"${vhost.name}">>), true`);
}

beforeAll(async () => {
  connection = await amqp.connect(vhost.amqpUrl);
  channel = await connection.createChannel();
  broker = await connectBroker(vhost.url);
  broker.events.subscribe(() => undefined);
});
afterAll(async () => {
  await broker.close();
  await connection.close();
});
beforeEach(async () => {
  seen = [];
  const ping = (args: { arg?: unknown }, request: { requestContext: unknown }): unknown => {
    seen.push({ method: 'ping', args, context: request.requestContext as Record<string, unknown> });
    return { pong: args.arg ?? null };
  };
  const boom = (): never => {
    throw Object.assign(new TypeError('no such host'), { args: ['no such host'] });
  };
  const text = (): string => 'a "text"\n\u001b[31m of two lines';
  const slow = (): Promise<void> => new Promise((resolve) => void held.push(resolve));
  const target = { exchange: 'openstack', topic: 'conductor', server: 'host1' };
  server = new RpcServer(broker, target, [
    { version: '1.1', methods: { ping, boom, text, slow } },
    { namespace: 'baseapi', version: '1.0', methods: { ping, slow } },
  ]);
  await server.start();
});
afterEach(async () => {
  for (const release of held.splice(0)) release();
  await server.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

describe('call', () => {
  it('shows the answer on stdout, and everything about it on stderr', async () => {
    const { code, out, err } = await run(
      'call conductor.host1 baseapi.ping arg=0012 n:=12 --version 1.0 --request-id req-7',
    );
    expect({ code, out: JSON.parse(out) }).toEqual({ code: 0, out: { pong: '0012' } });
    expect(err).toContain('req-7  openstack/conductor.host1  baseapi.ping v1.0');
    expect(err).not.toContain('guest:guest');
    expect(seen).toEqual([{ method: 'ping', args: { arg: '0012', n: 12 }, context: { request_id: 'req-7' } }]);
  });

  it('as JSON is one document', async () => {
    const { code, documents } = await run('call conductor ping arg:=12345678901234567890 --json');
    expect(code).toBe(0);
    expect(documents).toEqual([
      {
        v: 1,
        command: 'call',
        requestId: expect.stringMatching(/^req-/),
        target: { exchange: 'openstack', topic: 'conductor', namespace: null, version: null },
        method: 'ping',
        elapsedMs: expect.any(Number),
        outcome: 'ok',
        result: { pong: expect.anything() },
      },
    ]);
  });

  it('a failure has its class, module and traceback; exit 1', async () => {
    const told = await run('call conductor boom');
    expect(told).toMatchObject({ code: 1, out: expect.stringContaining('TypeError: no such host') });
    const { code, documents } = await run('call conductor boom --json');
    expect(code).toBe(1);
    expect(documents[0]).toMatchObject({
      outcome: 'failed',
      error: { excType: 'TypeError', module: 'builtins', message: 'no such host', traceback: expect.any(Array) },
    });
    expect((await run('call conductor none --json')).documents[0]).toMatchObject({
      error: { excType: 'NoSuchMethod' },
    });
  });

  it('is made as often as is counted, each under an id of its own; the first failure is the exit code', async () => {
    const { code, documents } = await run('call conductor ping --count 3 --json');
    expect({ code, sent: seen.length }).toEqual({ code: 0, sent: 3 });
    expect(new Set(documents.map(({ requestId }) => requestId)).size).toBe(3);
    const failing = await run('call conductor boom --count 2 --json');
    expect(failing).toMatchObject({ code: 1, documents: [{ outcome: 'failed' }, { outcome: 'failed' }] });
    expect((await run('call conductor ping --count none')).code).toBe(64);
  });

  it('raw is one line, and of a text the text', async () => {
    const args = { arg: Array.from({ length: 40 }, (_, n) => n) };
    const line = await run(['call', 'conductor', 'ping', '--args', JSON.stringify(args), '--raw']);
    expect(line.out).toBe(`${JSON.stringify({ pong: args.arg })}\n`);
    expect((await run('call conductor text --raw')).out).toBe('a "text"\\u000a\\u001b[31m of two lines\n');
  });

  it('is no process of the service whose file it has; what a timeout leaves behind expires in two minutes', async () => {
    const file = join(home, 'conductor.conf');
    const rabbit = '[oslo_messaging_rabbit]\nuse_queue_manager = true\nhostname = ctl1\nprocessname = nova-conductor\n';
    writeFileSync(file, `[DEFAULT]\ntransport_url = ${vhost.url}\n${rabbit}`);
    const before = new Set((await vhost.listQueues()).map(({ name }) => name));
    expect(await run(`call conductor slow --timeout 5s --config-file ${file}`)).toMatchObject({ code: 75 });
    const left = (await vhost.listQueues()).filter(({ name }) => !before.has(name));
    expect(left).toMatchObject([
      { name: expect.stringMatching(/^reply_[\da-f]{32}$/), arguments: { 'x-expires': 120_000 } },
    ]);
  });

  it('a timeout says what was seen, and what to do next; exit 75', async () => {
    const lines = ['call conductor slow', 'call conductor baseapi.slow --version 1.0 --json'];
    // The broker has a second to tell what is there.
    const [told, asJson] = await Promise.all(lines.map((line) => run(`${line} --timeout 5s`)));
    const { code, err } = told!;
    expect(code).toBe(75);
    expect(err).toContain('TIMED OUT');
    expect(err).toContain('none has answered');
    expect(err).toContain('next: oslo-bus why conductor --exchange openstack\n');
    expect(asJson!.documents).toMatchObject([
      { next: 'oslo-bus why conductor --exchange openstack --namespace baseapi --version 1.0' },
    ]);
  });

  it.each([
    ['no such server', 'call conductor.nobody ping'],
    ['no such exchange', 'call conductor ping --exchange none'],
  ])('%s is known at once, and leaves nothing behind; exit 68', async (_what, commandLine) => {
    const before = (await vhost.listExchanges()).map(({ name }) => name);
    const { code, documents } = await run(`${commandLine} --json`);
    expect({ code, documents }).toEqual({
      code: 68,
      documents: [{ v: 1, command: 'call', error: expect.objectContaining({ code: 'OSLO_NO_ROUTE', exit: 68 }) }],
    });
    expect((await vhost.listExchanges()).map(({ name }) => name)).toEqual(before);
  });

  it.each([
    ['call conductor', 64],
    ['call conductor ping arg', 64],
    ['call conductor ping --timeout soon', 64],
    ['call conductor ping --args nonsense', 64],
    ['nonsense', 64],
    ['call conductor ping --transport-url nonsense', 78],
    ['call conductor ping --transport-url rabbit://guest:guest@127.0.0.1:1/', 69],
    ['call conductor ping --config-file /nowhere/nova.conf', 78],
    ['call conductor ping --show-secrets', 64],
    ['call conductor ping --read-only', 77],
    ['cast conductor ping --read-only', 77],
    ['fanout conductor ping --read-only', 77],
  ])('%s ends with %i', async (commandLine, code) => {
    expect(await run(commandLine)).toMatchObject({ code, err: expect.stringMatching(/./) });
    expect(seen).toEqual([]);
  });

  it('a wrong password or virtual host ends with 77', async () => {
    const wrong = vhost.url.replace('guest:guest', 'guest:wrong');
    expect(await run(`call conductor ping --transport-url ${wrong}`)).toMatchObject({ code: 77 });
    expect(await run(`call conductor ping --transport-url ${vhost.url}-none`)).toMatchObject({ code: 77 });
  });
});

it('cast and fanout reach their servers', async () => {
  expect(await run('cast conductor ping arg=one')).toMatchObject({ code: 0, out: '' });
  expect(await run('fanout conductor ping arg=all --json')).toMatchObject({
    code: 0,
    documents: [expect.objectContaining({ command: 'fanout', outcome: 'ok' })],
  });
  await eventually(() => seen.length === 2);
  expect(seen.map(({ args }) => args)).toEqual(expect.arrayContaining([{ arg: 'one' }, { arg: 'all' }]));
});

describe('ping', () => {
  it('runs nothing, and tells who is alive', async () => {
    expect(await run('ping conductor --version 1.1')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/alive {2}[\d.]+ m?s/),
    });
    expect(seen).toEqual([]);
  });

  it('whoever refuses the version is alive, too', async () => {
    const { code, documents } = await run('ping conductor --version 9.9 --json');
    expect(code).toBe(0);
    expect(documents[0]).toMatchObject({ answer: 'alive', versionServed: false });
  });

  it('of several servers the missing one is told', async () => {
    const { code, documents } = await run('ping conductor --servers host1,host2 --version 1.0 --json');
    expect(code).toBe(68);
    expect(documents.map(({ answer }) => answer)).toEqual(['alive', 'nobody']);
  });

  it('one that does not answer is silent; exit 75', async () => {
    await channel.assertExchange('openstack', 'topic', { durable: false });
    await channel.assertQueue('mute', { durable: false });
    await channel.bindQueue('mute', 'openstack', 'mute');
    await channel.consume('mute', () => undefined);
    const { code, documents } = await run('ping mute --version 1.0 --timeout 5s --json');
    expect(code).toBe(75);
    expect(documents[0]).toMatchObject({ answer: 'silent', reason: expect.stringContaining('1 consumer') });
  });
});

describe('why', () => {
  const why = async (rest: string, options?: Parameters<typeof run>[1]) => {
    const { code, documents } = await run(`why ${rest} --json`, options);
    const findings = documents[0]!.findings as {
      step: string;
      state: string;
      seen: string;
      cause?: string;
      next?: string;
    }[];
    return { code, findings, last: findings.at(-1)! };
  };
  const planted = async (name: string, bound: boolean): Promise<void> => {
    await channel.assertExchange('openstack', 'topic', { durable: false });
    await channel.assertQueue(name, { durable: false });
    if (bound) await channel.bindQueue(name, 'openstack', name);
  };

  it('finds nothing where nothing is wrong', async () => {
    const { code, findings } = await why('conductor.host1 --version 1.1');
    expect(code).toBe(0);
    expect(findings.map(({ step, state }) => `${step} ${state}`)).toEqual(
      ['bus', 'alarm', 'exchange', 'queue', 'consumers', 'backlog', 'binding', 'answers', 'version', 'in time'].map(
        (step) => `${step} ok`,
      ),
    );
    expect(seen).toEqual([]);
  });

  it('for people has a line for each step, and says what to do', async () => {
    const { code, out } = await run('why conductor.host2');
    expect(code).toBe(68);
    expect(out).toMatch(/ok {4}bus .*\n.*ok {4}alarm/);
    expect(out).toMatch(/FAIL {2}queue {7}there is no queue 'conductor.host2'\n.*\n {8}Next: /);
    expect(out).not.toContain('guest:guest');
  });

  it.each([
    ['the bus is down', 'conductor --transport-url rabbit://guest:guest@127.0.0.1:1/', 69, 'bus', 'cannot be reached'],
    ['there is no such exchange', 'conductor --exchange none', 68, 'exchange', "'none'"],
    ['there is no such queue', 'conductor.host9', 68, 'queue', "'conductor.host9'"],
    ['the version is not served', 'conductor --version 3.9', 1, 'version', '3.9'],
  ])('%s', async (_what, rest, code, step, text) => {
    const { last, ...found } = await why(rest);
    expect(found.code).toBe(code);
    expect(last).toMatchObject({ step, state: 'fail', cause: expect.any(String), next: expect.any(String) });
    expect(last.seen).toContain(text);
  });

  it('the login is refused', async () => {
    const { code, last } = await why(`conductor --transport-url ${vhost.url.replace('guest:guest', 'guest:wrong')}`);
    expect(code).toBe(77);
    expect(last).toMatchObject({ step: 'bus', seen: expect.stringContaining('does not let us in') });
    expect(last.seen).not.toContain('wrong');
  });

  it('a permission is missing', async () => {
    const { admin } = sharedRabbit();
    const user = `why-${vhost.name}`;
    await admin.addUser(user, 'secret');
    await admin.setPermissions(vhost.name, user, { configure: '^reply', write: '^$', read: '.*' });
    const { code, last } = await why(`conductor --transport-url ${vhost.url.replace('guest:guest', `${user}:secret`)}`);
    await admin.deleteUser(user);
    expect({ code, last }).toMatchObject({
      code: 77,
      last: { step: 'permission', seen: expect.stringContaining('refused') },
    });
  });

  it('nobody consumes the queue', async () => {
    await planted('idle', true);
    channel.sendToQueue('idle', Buffer.from('{}'));
    const { code, last } = await why('idle');
    expect(code).toBe(68);
    expect(last).toMatchObject({ step: 'consumers', seen: "nobody consumes 'idle', 1 message waiting" });
  });

  it('the queue is not bound', async () => {
    await planted('unbound', false);
    await channel.consume('unbound', () => undefined);
    expect(await why('unbound')).toMatchObject({ code: 68, last: { step: 'binding', state: 'fail' } });
  });

  it('whoever consumes does not answer', async () => {
    await planted('mute', true);
    await channel.consume('mute', () => undefined);
    expect(await why('mute --timeout 500ms')).toMatchObject({ code: 75, last: { step: 'answers', state: 'fail' } });
  });

  it('the servers do not keep up', async () => {
    await planted('slow', true);
    await channel.prefetch(1);
    await channel.consume('slow', () => undefined);
    const publish = setInterval(() => channel.sendToQueue('slow', Buffer.from('{}')), 20);
    await eventually(async () => (await channel.checkQueue('slow')).messageCount > 2);
    // Between two looks it grows, unless one of us stands still just then.
    const backlog = await eventually(async () => {
      const { findings } = await why('slow --timeout 500ms');
      return findings.find(({ step, state }) => step === 'backlog' && state === 'warn');
    }).finally(() => clearInterval(publish));
    expect(backlog.seen).toMatch(/^\d+ messages waiting, \d+ more after [\d.]+ s: the servers do not keep up$/);
  });
});

describe('tap', () => {
  afterEach(() => firehose('stop'));

  it('shows requests, who has them, answers and notifications, and records them', async () => {
    await firehose('start');
    const file = join(home, 'recording');
    let beginning: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (beginning = resolve));
    const result = run(`tap --json --count 3 --for 20s --record ${file}`, {
      onErr: (text) => void (text.startsWith('tap: firehose') && beginning()),
    });
    await begun;
    const client = new RpcClient(broker, { topic: 'conductor' }, { timeout: 5 });
    const notifier = new NotifierCore(broker, { publisherId: 'compute.host1' });
    const context = { auth_token: 'sesame', request_id: 'req-1' };
    await client.call('ping', { arg: 'x', admin_password: 'hunter2' }, { context });
    await client.call('boom').catch(() => undefined);
    await notifier.info('compute.instance.create.end', { id: 'i1' });
    const { code, documents, out, err } = await result;
    await notifier.close();
    await client.close();
    expect(code).toBe(0);
    expect(documents.map(({ event, state }) => [event, state])).toEqual([
      ['request', 'answered'],
      ['request', 'failed'],
      ['notification', undefined],
      ['end', undefined],
    ]);
    expect(documents[0]).toMatchObject({
      v: 1,
      command: 'tap',
      kind: 'call',
      target: { exchange: 'openstack', topic: 'conductor' },
      requestId: 'req-1',
      taken: { queue: 'conductor' },
    });
    expect(documents[1]).toMatchObject({ failure: { excType: 'TypeError', message: 'no such host' } });
    expect(err).toContain('twice the CPU');
    const recorded = readFileSync(file, 'utf8');
    expect(out + err + recorded).not.toMatch(/sesame|hunter2/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const reader = new RecordingReader();
    const records = recorded
      .trim()
      .split('\n')
      .flatMap((line) => reader.read(line) ?? []);
    expect(reader.head).toMatchObject({ source: 'firehose', masked: true });
    expect(records.some(({ message }) => message?.method === 'ping')).toBe(true);
  });

  it('needs a topic without the firehose, and says so', async () => {
    expect(await run('tap --for 1s')).toMatchObject({ code: 78, err: expect.stringContaining('topic') });
  });

  it('ends in order when it is interrupted', async () => {
    const interruption = new AbortController();
    const result = run('tap --topic conductor', {
      signal: interruption.signal,
      onErr: (text) => void (text.startsWith('tap: binding') && interruption.abort()),
    });
    expect(await result).toMatchObject({ code: 0, err: expect.stringContaining('no answers') });
    expect((await vhost.listQueues()).filter(({ name }) => name.startsWith('oslo-bus.'))).toEqual([]);
  });
});

describe('help', () => {
  // Examples of replay read what the one of record writes.
  beforeAll(() => run('record /tmp/conductor.ndjson --topic conductor --for 100ms'));
  afterAll(() => rmSync('/tmp/conductor.ndjson', { force: true }));

  const program = quietProgram();

  // That of topology needs the management API: see its own spec.
  const onThisBroker = program.commands.filter((command) => command.name() !== 'topology');
  const names = onThisBroker.flatMap((command) => [
    [command.name(), 3] as const,
    ...command.commands.map((below) => [`${command.name()} ${below.name()}`, 1] as const),
  ]);

  it.each(names)(
    '%s has its examples (%i), which run as they are',
    async (name, count) => {
      await run(`context save local --transport-url ${vhost.url}`);
      const { code, out } = await run(`${name} --help`);
      expect(code).toBe(0);
      const examples = [...out.matchAll(/^ {2}\$ (oslo-bus .*)$/gm)].map(([, example]) => example!);
      expect(examples).toHaveLength(count);
      for (const example of examples) {
        // There is nobody at the address that examples have.
        const here = example.replace('rabbit://guest:guest@127.0.0.1:5672/', vhost.url);
        expect(await run(here), example).toMatchObject({ code: 0 });
      }
    },
    120_000,
  );
});
