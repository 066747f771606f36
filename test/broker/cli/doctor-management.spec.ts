import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import amqp, { type Channel, type ChannelModel } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Broker, connectBroker, RpcServer } from '../../../lib/index.js';
import { ManagementApi } from '../../../lib/observe/bus/management-api.js';
import { oslo } from '../../support/command-line.js';
import { type DoctorRun, doctorAt } from '../../support/doctor.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { useVhost } from '../../support/rabbit.js';
import { type RabbitServer, startRabbit } from '../../support/rabbit-server.js';

/** The broker counts when it has time to. */
const PATIENCE_MS = 40_000;
vi.setConfig({ testTimeout: 60_000 });

let rabbit: RabbitServer;
let managementUrl: string;
let api: ManagementApi;

beforeAll(async () => {
  const port = await freePort();
  managementUrl = `http://127.0.0.1:${port}`;
  rabbit = await startRabbit({
    plugins: ['rabbitmq_management'],
    configuration: [
      `management.tcp.port = ${port}`,
      'management.tcp.ip = 127.0.0.1',
      // Numbers are known after so long, and not after 5 s.
      'collect_statistics_interval = 500',
    ],
  });
});
afterAll(() => rabbit.dispose());

const vhost = useVhost({ server: () => rabbit });
let broker: Broker;
let server: RpcServer;
let connection: ChannelModel;
let channel: Channel;

/** Looks again until the broker's numbers are there: what came of it must be these codes. */
async function doctorUntil(codes: readonly string[], text = '', rest = ''): Promise<DoctorRun> {
  const seen: DoctorRun[] = [];
  const isFound = async (): Promise<DoctorRun | undefined> => {
    const run = await doctor(rest);
    seen.push(run);
    return run.codes.join() === codes.join() && run.out.includes(text) ? run : undefined;
  };
  return eventually(isFound, 'the findings', PATIENCE_MS).catch((error: unknown) => {
    expect(seen.at(-1)?.findings).toEqual(codes);
    throw error;
  });
}

const doctor = (rest = '', url = vhost.url): Promise<DoctorRun> =>
  doctorAt(url, `--management-url ${managementUrl} ${rest}`);

async function tagged(user: string, tag: string): Promise<string> {
  await rabbit.admin.addUser(user, 'secret');
  await rabbit.admin.evaluate(`rabbit_auth_backend_internal:set_tags(<<"${user}">>, [${tag}], <<"test">>), true`);
  await rabbit.admin.setPermissions(vhost.name, user, { configure: '.*', write: '.*', read: '.*' });
  return vhost.url.replace('guest:guest', `${user}:secret`);
}

beforeAll(async () => {
  api = new ManagementApi(managementUrl, { username: 'guest', password: 'guest' });
  connection = await amqp.connect(vhost.amqpUrl, { clientProperties: { connection_name: 'nova-compute:77:x' } });
  broker = await connectBroker(vhost.url);
  broker.events.subscribe(() => undefined);
});
afterAll(async () => {
  await broker.close();
  await connection.close();
});
beforeEach(async () => {
  channel = await connection.createChannel();
  server = new RpcServer(broker, { exchange: 'openstack', topic: 'conductor', server: 'host1' }, [
    { version: '1.1', methods: { ping: () => 'pong' } },
  ]);
  await server.start();
});
afterEach(async () => {
  await rabbit.admin.memoryAlarm(false);
  await server.close();
  await channel.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
  for (const { name } of await vhost.listExchanges()) await rabbit.admin.deleteExchange(vhost.name, name);
});

describe('without topics', () => {
  it('finds nothing where nothing is wrong, and has looked at all of it', async () => {
    const { checks, codes } = await eventually(
      async () => {
        const one = await doctor();
        return one.out.includes('yet') ? undefined : one;
      },
      'all numbers',
      PATIENCE_MS,
    );
    expect(codes).toEqual([]);
    const unseen = checks.filter((check) => check.unseen.length > 0).map((check) => [check.code, check.unseen]);
    expect(unseen).toEqual([
      ['TOPO-ARGUMENTS', ['--topics, or --config-file']],
      ['SRV-VERSION-SKEW', ['--versions']],
      ['NOTE-NOBODY', ['no queue of notifications was found']],
    ]);
    const seen = checks.find(({ code }) => code === 'SRV-SILENT');
    // The topic's queue, and the server's own.
    expect(seen).toMatchObject({ fine: 2 });
  });

  it('SRV-NO-CONSUMER of a server that nobody has named', async () => {
    await channel.assertQueue('conductor.host2', { durable: false });
    await channel.bindQueue('conductor.host2', 'openstack', 'conductor.host2');
    channel.sendToQueue('conductor.host2', Buffer.from('{}'));
    const { findings, code } = await doctorUntil(['SRV-NO-CONSUMER']);
    expect({ code, findings }).toMatchObject({ code: 2, findings: [{ object: "queue 'conductor.host2'" }] });
  });

  it('SRV-GHOST', async () => {
    await channel.assertQueue('conductor.host2', { durable: false });
    await channel.bindQueue('conductor.host2', 'openstack', 'conductor.host2');
    const { findings, code } = await doctorUntil(['SRV-GHOST']);
    expect({ code, findings }).toMatchObject({
      code: 0,
      findings: [{ severity: 'hint', object: '1 queue', seen: expect.stringContaining("'conductor.host2'") }],
    });
  });

  it('TOPO-UNBOUND of a queue that nobody consumes', async () => {
    await channel.assertQueue('conductor.host2', { durable: false });
    channel.sendToQueue('conductor.host2', Buffer.from('{}'));
    const { findings } = await doctorUntil(['TOPO-UNBOUND', 'SRV-NO-CONSUMER']);
    expect(findings[0]).toMatchObject({ seen: 'it is bound to no exchange' });
  });

  it('TOPO-SHARED-NAME', async () => {
    await channel.assertExchange('heat', 'topic', { durable: false });
    await channel.bindQueue('conductor', 'heat', 'conductor');
    const { findings, code } = await doctorUntil(['TOPO-SHARED-NAME']);
    expect({ code, findings }).toMatchObject({
      code: 1,
      findings: [{ object: "queue 'conductor'", seen: "it is bound to 2 exchanges: 'heat', 'openstack'" }],
    });
  });

  it('SRV-SILENT names the process', async () => {
    await channel.assertQueue('mute', { durable: false });
    await channel.bindQueue('mute', 'openstack', 'mute');
    await channel.consume('mute', () => undefined);
    const { findings } = await doctorUntil(['SRV-SILENT'], 'nova-compute:77', '--topics mute --timeout 500ms');
    const seen = "consumed, and no answer within 0.5 s: 'nova-compute:77 on 127.0.0.1'";
    expect(findings[0]).toMatchObject({ object: "queue 'mute'", seen });
  });

  it('NOTE-NOBODY: a pool listens beside the shared queue', async () => {
    for (const queue of ['billing.info', 'pool1']) {
      await channel.assertQueue(queue, { durable: false });
      await channel.bindQueue(queue, 'openstack', 'billing.info');
    }
    await channel.consume('pool1', () => undefined);
    for (let n = 0; n < 1_000; n++) channel.sendToQueue('billing.info', Buffer.from('{}'));
    const { findings } = await doctorUntil(['NOTE-NOBODY']);
    expect(findings[0]).toMatchObject({
      object: "queue 'billing.info'",
      seen: '1000 messages, no consumer',
      cause: expect.stringContaining("'pool1'"),
    });
  });

  it.each([
    ['REPLY-ORPHAN', 'reply_dead'],
    ['FANOUT-ORPHAN', 'conductor_fanout_dead'],
  ])('%s', async (code, queue) => {
    await channel.assertQueue(queue, { durable: false, arguments: { 'x-expires': 1_800_000 } });
    channel.sendToQueue(queue, Buffer.from('{}'));
    const { findings } = await doctorUntil([code], '1 message:');
    expect(findings[0]).toMatchObject({
      severity: 'hint',
      object: '1 queue',
      seen: expect.stringMatching(new RegExp(`^no consumer, 1 message: '${queue}.*1 expires within 30 min`)),
    });
  });

  it('queues expire, however often doctor looks', async () => {
    const expiring = ['reply_dead', 'conductor_fanout_dead', 'conductor.gone'];
    for (const queue of expiring) {
      await channel.assertQueue(queue, { durable: false, arguments: { 'x-expires': 10_000 } });
      await channel.bindQueue(queue, 'openstack', queue);
    }
    const areGone = async (): Promise<boolean> => {
      await doctor();
      return (await vhost.listQueues()).every(({ name }) => !expiring.includes(name));
    };
    expect(await eventually(areGone, 'the queues having expired', PATIENCE_MS)).toBe(true);
  });

  it('CONN-STORM', async () => {
    const clientProperties = { connection_name: 'nova-api:99:x' };
    const connections = await Promise.all(
      Array.from({ length: 101 }, () => amqp.connect(vhost.amqpUrl, { clientProperties })),
    );
    const { findings, codes } = await eventually(
      async () => {
        const one = await doctor();
        return one.out.includes('101 connections') ? one : undefined;
      },
      'the storm being counted',
      PATIENCE_MS,
    );
    for (const one of connections) await one.close();
    // They were opened a moment ago: that is seen, too.
    expect(new Set(codes)).toEqual(new Set(['CONN-STORM']));
    expect(findings[0]).toMatchObject({ object: 'nova-api:99 on 127.0.0.1', severity: 'warning' });
  });

  it('CONN-OLD-CLIENT', async () => {
    const clientProperties = { product: 'py-amqp', product_version: '1.4.9', connection_name: 'old:1:x' };
    const old = await amqp.connect(vhost.amqpUrl, {
      clientProperties: { ...clientProperties, capabilities: { publisher_confirms: true } },
    });
    const { findings } = await doctorUntil(['CONN-OLD-CLIENT']);
    await old.close();
    expect(findings[0]).toMatchObject({
      object: 'old:1 on 127.0.0.1',
      seen: expect.stringContaining("'py-amqp 1.4.9'"),
    });
  });

  it('BUS-ALARM names the node and what is low', async () => {
    await rabbit.admin.memoryAlarm(true);
    const found = await doctor('--topics conductor');
    const { code, codes, findings, checks } = found;
    expect({ code, codes }).toEqual({ code: 2, codes: ['BUS-ALARM'] });
    expect(findings[0]).toMatchObject({ object: `node '${rabbit.access.node}'`, seen: 'memory is low' });
    const blind = checks
      .filter(({ unseen }) => unseen.includes('the broker takes no messages'))
      .map((check) => check.code);
    expect(blind).toEqual(expect.arrayContaining(['BUS-PERMISSION', 'TOPO-DURABILITY', 'SRV-SILENT']));
  });

  it('BUS-CLOCK', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    const { findings, code } = await doctorUntil(['BUS-CLOCK']).finally(() => vi.useRealTimers());
    expect({ code, findings }).toMatchObject({
      code: 0,
      findings: [
        { severity: 'hint', seen: expect.stringMatching(/^the node that answers is \d+ seconds behind this host$/) },
      ],
    });
  });
});

describe('the user', () => {
  it('without the tag `monitoring` sees no nodes, and is told so', async () => {
    const url = await tagged('policymaker', 'policymaker');
    const { codes, checks } = await doctor('', url);
    await rabbit.admin.deleteUser('policymaker');
    expect(codes).toEqual([]);
    const replicated = checks.find(({ code }) => code === 'QUEUE-NOT-REPLICATED');
    expect(replicated).toMatchObject({ fine: 0, unseen: [expect.stringContaining('Not monitor user')] });
  });

  it('without a tag sees nothing there, and all else', async () => {
    const url = await tagged('plain', '');
    const { codes, checks } = await doctor('--topics conductor', url);
    await rabbit.admin.deleteUser('plain');
    expect(codes).toEqual([]);
    expect(checks.find(({ code }) => code === 'SRV-GHOST')).toMatchObject({ fine: 0 });
    expect(checks.find(({ code }) => code === 'CONN-STORM')!.unseen[0]).toContain('401');
    expect(checks.find(({ code }) => code === 'SRV-SILENT')).toMatchObject({ fine: 1 });
  });

  it('may have a name of its own there', async () => {
    const url = await tagged('watcher', 'monitoring');
    const own = managementUrl.replace('//', '//watcher:secret@');
    const { checks, out, err } = await doctorAt(vhost.url, `--topics conductor --management-url ${own}`);
    expect(checks.find(({ code }) => code === 'QUEUE-NOT-REPLICATED')).toMatchObject({ fine: 1 });
    expect(out + err).not.toContain('secret');
    expect(url).toContain('watcher');
    await rabbit.admin.deleteUser('watcher');
  });

  it('hears what is wrong with the address', async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const unreachable = await doctorAt(vhost.url, `--topics conductor --management-url ${nowhere}`);
    expect(unreachable.checks.find(({ code }) => code === 'CONN-STORM')!.unseen[0]).toContain('ECONNREFUSED');
    expect(unreachable.codes).toEqual([]);
    const wrong = await doctorAt(vhost.url, '--topics conductor --management-url rabbit://u:geheim@x');
    expect(wrong).toMatchObject({ code: 78, err: expect.stringContaining('is no URL of a management API') });
    expect(wrong.err).not.toContain('geheim');
  });
});

describe('with the management API', () => {
  const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
    oslo(`${commandLine} --management-url ${managementUrl}`, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url } });

  it('why names the servers that are there', async () => {
    const isNamed = async (): Promise<Awaited<ReturnType<typeof run>> | undefined> => {
      const result = await run('why conductor.host2');
      return result.out.includes('topic: host1') ? result : undefined;
    };
    const { code, out } = await eventually(isNamed, 'the server being listed', PATIENCE_MS);
    expect(code).toBe(68);
    expect(out).toMatch(/FAIL {2}queue .*'conductor.host2'\n.*\n {8}Consumed servers of this topic: host1\n {8}Next: /);
  });

  it('a server whose consumers the broker has not counted yet is not called missing', async () => {
    // As RabbitMQ lists a queue that is new: its numbers come seconds later.
    const listed = [{ name: 'conductor.host1', vhost: vhost.name, durable: false, arguments: {} }];
    const management = createServer((_request, response) => response.end(JSON.stringify(listed)));
    await new Promise<void>((resolve) => management.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(management.address() as AddressInfo).port}`;
    const { code, out, err } = await oslo(`why conductor.host2 --management-url ${url}`, {
      env: { OSLO_TRANSPORT_URL: vhost.url },
    });
    management.close();
    expect({ code, out }).toEqual({ code: 68, out: expect.not.stringContaining('Consumed servers') });
    expect(err).toContain('has not counted the consumers of these servers yet: host1\n');
  });

  it.each(['ping conductor --version 1.1', 'versions conductor --yes'])(
    '%s --all asks each that has a queue',
    async (line) => {
      await channel.assertQueue('conductor.host2', { durable: false });
      const isListed = async (): Promise<boolean> =>
        (await api.queues(vhost.name)).filter(({ name }) => name.startsWith('conductor.')).length === 2;
      await eventually(isListed, 'both queues', PATIENCE_MS);
      const { code, documents } = await run(`${line} --all --json`);
      expect(code).toBe(68);
      const answers = documents.map(({ target, answer }) => [(target as { server: string }).server, answer]);
      expect(answers).toEqual([
        ['host1', line.startsWith('ping') ? 'alive' : 'served'],
        ['host2', 'nobody'],
      ]);
      expect(await run('ping volume --all')).toMatchObject({
        code: 68,
        err: expect.stringContaining("no server of 'volume'"),
      });
    },
  );

  it('tap switches the firehose on, and off again; the virtual host keeps what it is', async () => {
    const headers = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` };
    const path = `${managementUrl}/api/vhosts/${vhost.name}-described`;
    const body = JSON.stringify({ description: 'ours', tags: 'a,b' });
    await fetch(path, { method: 'PUT', headers: { ...headers, 'content-type': 'application/json' }, body });
    const described = async (): Promise<Record<string, unknown>> => {
      const { description, tags, tracing } = (await (await fetch(path, { headers })).json()) as Record<string, unknown>;
      return { description, tags, tracing };
    };
    const seen: Promise<Record<string, unknown>>[] = [];
    const tapped = await oslo(`tap --switch-on --for 1s --management-url ${managementUrl}`, {
      env: { OSLO_TRANSPORT_URL: `${vhost.url}-described` },
      onErr: (text) => void (text.startsWith('tap: firehose;') && seen.push(described())),
    });
    expect(tapped).toMatchObject({ code: 0, err: expect.stringContaining('is switched on, through http://127.0.0.1') });
    expect(tapped.err).toContain('is off again');
    const told = { description: 'ours', tags: ['a', 'b'] };
    expect(await Promise.all(seen)).toEqual([{ ...told, tracing: true }]);
    expect(await described()).toEqual({ ...told, tracing: false });
    await rabbit.admin.deleteVhost(`${vhost.name}-described`);
  });

  it('tap leaves it on where it was on', async () => {
    await api.setTracing(vhost.name, true);
    const { code, err } = await run('tap --switch-on --for 100ms');
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining('is on already, and stays on') });
    expect(await api.isTracing(vhost.name)).toBe(true);
    await api.setTracing(vhost.name, false);
  });

  it.each([
    ['a bus that is read-only', 'tap --switch-on --for 100ms --read-only', 77],
    ['bindings', 'tap --switch-on --for 100ms --source binding', 64],
  ])('tap does not switch it for %s', async (_what, commandLine, code) => {
    expect(await run(commandLine)).toMatchObject({ code });
    expect(await api.isTracing(vhost.name)).toBe(false);
  });

  it('tap is refused where the user is no administrator', async () => {
    const url = await tagged('watcher', 'monitoring');
    const refused = await oslo(`tap --switch-on --for 100ms --management-url ${managementUrl}`, {
      env: { OSLO_TRANSPORT_URL: url },
    });
    await rabbit.admin.deleteUser('watcher');
    expect(refused).toMatchObject({ code: 77, err: expect.stringContaining('Not administrator user') });
  });
});
