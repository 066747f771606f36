import amqp, { type Channel, type ChannelModel } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, RpcServer } from '../../../lib/index.js';
import { type DoctorRun, doctorAt } from '../../support/doctor.js';
import { eventually } from '../../support/eventually.js';
import { sharedRabbit, useVhost } from '../../support/rabbit.js';

const vhost = useVhost();
let broker: Broker;
let server: RpcServer;
let connection: ChannelModel;
let channel: Channel;

const doctor = (rest: string, url = vhost.url): Promise<DoctorRun> => doctorAt(url, rest);

/** As another program would make it. */
async function planted(queue: string, options: amqp.Options.AssertQueue = { durable: false }): Promise<void> {
  await channel.assertExchange('openstack', 'topic', { durable: false });
  await channel.assertQueue(queue, options);
  await channel.bindQueue(queue, 'openstack', queue);
}

beforeAll(async () => {
  connection = await amqp.connect(vhost.amqpUrl);
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
  await server.close();
  await channel.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
  for (const { name } of await vhost.listExchanges()) await sharedRabbit().admin.deleteExchange(vhost.name, name);
});

it('finds nothing where nothing is wrong, leaves nothing behind, and names what it has not seen', async () => {
  const before = [await vhost.listQueues(), await vhost.listExchanges(), await vhost.listBindings()];
  const { code, findings, checks } = await doctor('--topics conductor --servers host1');
  expect({ code, findings }).toEqual({ code: 0, findings: [] });
  const fine = checks.filter((check) => check.fine > 0).map((check) => check.code);
  expect(fine).toEqual(
    expect.arrayContaining([
      'BUS-PERMISSION',
      'BUS-ALARM',
      'TOPO-DURABILITY',
      'TOPO-UNBOUND',
      'SRV-SILENT',
      'SRV-BACKLOG',
    ]),
  );
  for (const { code: one, fine: number, unseen } of checks) expect(number + unseen.length, one).toBeGreaterThan(0);
  expect(checks.find((check) => check.code === 'REPLY-ORPHAN')).toMatchObject({
    fine: 0,
    unseen: ['--management-url'],
  });
  // The reply queue of a client that has called lives on for a while.
  const names = (queues: { name: string }[]): string[] =>
    queues.map(({ name }) => name).filter((one) => !one.startsWith('reply_'));
  expect(names(await vhost.listQueues())).toEqual(names(before[0] as { name: string }[]));
  expect([await vhost.listExchanges(), await vhost.listBindings()]).toEqual(before.slice(1));
});

describe('of the bus', () => {
  it.each([
    ['BUS-UNREACHABLE', () => 'rabbit://guest:geheim@127.0.0.1:1/', '127.0.0.1:1'],
    ['BUS-LOGIN', () => vhost.url.replace('guest:guest', 'guest:geheim'), 'ACCESS_REFUSED'],
    ['BUS-VHOST', () => `${vhost.url}-none`, '-none'],
    ['BUS-TLS', () => vhost.url.replace('rabbit:', 'rabbit+ssl:'), 'does not speak TLS'],
  ])('%s', async (code, url, text) => {
    const { findings, out, checks, ...run } = await doctor('--topics conductor', url());
    expect({ code: run.code, codes: run.codes }).toEqual({ code: 2, codes: [code] });
    expect(findings[0]).toMatchObject({ severity: 'error', seen: expect.stringContaining(text) });
    expect(out).not.toContain('geheim');
    expect(checks.filter(({ fine }) => fine > 0)).toEqual([]);
  });

  it('BUS-PERMISSION', async () => {
    const { admin } = sharedRabbit();
    const user = `doctor-${vhost.name}`;
    await admin.addUser(user, 'secret');
    const url = vhost.url.replace('guest:guest', `${user}:secret`);
    const all = { configure: '.*', write: '.*', read: '.*' };
    await admin.setPermissions(vhost.name, user, all);
    expect(await doctor('--topics conductor', url)).toMatchObject({ code: 0, codes: [] });
    // What a forgotten exchange in an expression looks like.
    await admin.setPermissions(vhost.name, user, { ...all, write: '^(amq\\.default|reply_.*)$' });
    const { findings, codes } = await doctor('--topics conductor --no-ping', url);
    await admin.deleteUser(user);
    expect(codes).toEqual(['BUS-PERMISSION']);
    expect(findings[0]).toMatchObject({
      object: `user '${user}' in virtual host '${vhost.name}'`,
      seen: expect.stringMatching(/^may not write to exchange 'openstack': .*ACCESS_REFUSED/),
    });
  });
});

describe('of the topology', () => {
  beforeEach(async () => {
    await server.close();
    for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
    await sharedRabbit().admin.deleteExchange(vhost.name, 'openstack');
  });

  const consumed = async (queue: string): Promise<void> => {
    await channel.bindQueue(queue, 'openstack', queue);
    await channel.consume(queue, () => undefined);
  };

  it('TOPO-DURABILITY of an exchange', async () => {
    await channel.assertExchange('openstack', 'topic', { durable: true });
    await channel.assertQueue('conductor', { durable: false });
    await consumed('conductor');
    const { code, codes, findings } = await doctor('--topics conductor --no-ping');
    // Nobody has said that our options are those of the services.
    expect({ code, codes }).toEqual({ code: 1, codes: ['TOPO-DURABILITY'] });
    expect(findings[0]).toMatchObject({
      severity: 'warning',
      object: "exchange 'openstack'",
      seen: "'durable' is 'true' there, and 'false' by the defaults (no --config-file is given)",
    });
  });

  it('TOPO-DURABILITY of a queue', async () => {
    await channel.assertExchange('openstack', 'topic', { durable: false });
    await channel.assertQueue('conductor', { durable: true });
    await consumed('conductor');
    const { codes, findings } = await doctor('--topics conductor --no-ping');
    expect(codes).toEqual(['TOPO-DURABILITY']);
    expect(findings[0]).toMatchObject({ object: "queue 'conductor'" });
  });

  it('TOPO-TYPE', async () => {
    await channel.assertExchange('openstack', 'direct', { durable: false });
    await channel.assertQueue('conductor', { durable: false });
    await consumed('conductor');
    const { codes, findings } = await doctor('--topics conductor --no-ping');
    expect(codes).toEqual(['TOPO-TYPE']);
    expect(findings[0]).toMatchObject({ object: "exchange 'openstack'", seen: expect.stringContaining("'direct'") });
  });

  it('TOPO-ARGUMENTS', async () => {
    await channel.assertExchange('openstack', 'topic', { durable: false });
    await channel.assertQueue('conductor', { durable: false, arguments: { 'x-max-length': 10 } });
    await consumed('conductor');
    const { codes, findings } = await doctor('--topics conductor --no-ping');
    expect(codes).toEqual(['TOPO-ARGUMENTS']);
    expect(findings[0]).toMatchObject({
      object: "queue 'conductor'",
      seen: expect.stringMatching(/'x-max-length' is .*10/),
    });
  });

  it('TOPO-UNBOUND', async () => {
    await channel.assertExchange('openstack', 'topic', { durable: false });
    await channel.assertQueue('conductor', { durable: false });
    await channel.consume('conductor', () => undefined);
    const { code, codes, findings } = await doctor('--topics conductor');
    expect({ code, codes }).toEqual({ code: 2, codes: ['TOPO-UNBOUND'] });
    expect(findings[0]).toMatchObject({ object: "queue 'conductor'" });
  });
});

describe('of servers', () => {
  /** A queue grows between two looks, unless one of us stands still just then. */
  const found = (code: string, rest: string): Promise<DoctorRun> =>
    eventually(
      async () => {
        const run = await doctor(rest);
        return run.codes.includes(code) && run;
      },
      code,
      20_000,
    );

  it('SRV-NO-QUEUE', async () => {
    const { code, codes, findings } = await doctor('--topics conductor --servers host1,host2');
    expect({ code, codes }).toEqual({ code: 2, codes: ['SRV-NO-QUEUE'] });
    expect(findings[0]).toMatchObject({ object: "queue 'conductor.host2'" });
  });

  it('SRV-NO-QUEUE where there is no exchange', async () => {
    const { codes, findings } = await doctor('--topics none --exchange none');
    expect(codes).toEqual(['SRV-NO-QUEUE', 'SRV-NO-QUEUE']);
    expect(findings[0]).toMatchObject({ object: "exchange 'none'" });
    expect(await vhost.listExchanges()).not.toContainEqual(expect.objectContaining({ name: 'none' }));
  });

  it('SRV-NO-CONSUMER: the service was stopped', async () => {
    await server.close();
    channel.publish('openstack', 'conductor.host1', Buffer.from('{}'));
    const { code, codes, findings } = await doctor('--topics conductor --servers host1');
    expect({ code, codes }).toEqual({ code: 2, codes: ['SRV-NO-CONSUMER', 'SRV-NO-CONSUMER'] });
    expect(findings[1]).toMatchObject({ object: "queue 'conductor.host1'", seen: '1 message waits, nobody consumes' });
  });

  it('SRV-BACKLOG: a queue that grows', async () => {
    await planted('slow');
    await channel.prefetch(1);
    await channel.consume('slow', () => undefined);
    const publish = setInterval(() => channel.sendToQueue('slow', Buffer.from('{}')), 50);
    await eventually(async () => (await channel.checkQueue('slow')).messageCount > 10);
    const { code, codes, findings } = await found('SRV-BACKLOG', '--topics slow --no-ping --watch 500ms').finally(() =>
      clearInterval(publish),
    );
    expect({ code, codes }).toEqual({ code: 1, codes: ['SRV-BACKLOG'] });
    expect(findings[0]).toMatchObject({
      object: "queue 'slow'",
      seen: expect.stringMatching(/^\d+ messages wait, \+[\d.]+\/s; 1 consumer/),
    });
  });

  it('SRV-SILENT: a server that hangs', async () => {
    await planted('mute');
    await channel.consume('mute', () => undefined);
    const { code, codes, findings } = await doctor('--topics mute --timeout 3s');
    expect({ code, codes }).toEqual({ code: 2, codes: ['SRV-SILENT'] });
    expect(findings[0]).toMatchObject({ object: "queue 'mute'", seen: 'consumed, and no answer within 3 s' });
  });

  it('SRV-VERSION-SKEW: one server is behind', async () => {
    const other = new RpcServer(broker, { exchange: 'openstack', topic: 'conductor', server: 'host2' }, [
      { version: '1.0', methods: { ping: () => 'pong' } },
    ]);
    await other.start();
    const { code, codes, findings } = await doctor('--topics conductor --servers host1,host2 --versions');
    const same = await doctor('--topics conductor --servers host1 --versions');
    await other.close();
    expect({ code, codes }).toEqual({ code: 1, codes: ['SRV-VERSION-SKEW'] });
    expect(findings[0]).toMatchObject({
      object: "topic 'conductor'",
      seen: "different versions are served: 1.1 by 'host1'; 1.0 by 'host2'",
    });
    expect(same.checks).toContainEqual({ code: 'SRV-VERSION-SKEW', fine: 1, findings: 0, unseen: [] });
  });

  it('NOTE-NOBODY: notifications that nobody hears', async () => {
    await planted('notifications.info');
    const publish = setInterval(() => channel.publish('openstack', 'notifications.info', Buffer.from('{}')), 50);
    const { code, codes, findings } = await found('NOTE-NOBODY', '--topics conductor --watch 500ms').finally(() =>
      clearInterval(publish),
    );
    expect({ code, codes }).toEqual({ code: 1, codes: ['NOTE-NOBODY'] });
    expect(findings[0]).toMatchObject({ object: "queue 'notifications.info'", severity: 'warning' });
  });
});

describe('the result', () => {
  it('as text has the worst first, and what was not looked at', async () => {
    const { code, out } = await doctor('--topics conductor,none --format text');
    expect(code).toBe(2);
    expect(out).toMatch(
      /^ERROR {4}SRV-NO-QUEUE {6}queue 'none' {2}there is no such queue \(a passive look\)\n {9}cause .*\n {9}remedy .*\nok {7}\d+ checks are fine\nunseen {3}BUS-CLOCK.*: --management-url\n/,
    );
  });

  it('for Nagios is one line with numbers; 3 where nothing could be seen', async () => {
    expect(await doctor('--topics conductor --format nagios')).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^OK - \d+ checks are fine \| errors=0;;1 warnings=0;1 hints=0 'conductor_messages'=0\n$/,
      ),
    });
    expect(await doctor('--topics none --format nagios')).toMatchObject({
      code: 2,
      out: expect.stringMatching(/^CRITICAL - SRV-NO-QUEUE queue 'none' \| errors=1/),
    });
    expect(await doctor('--topics conductor --format nagios', 'nonsense://')).toMatchObject({
      code: 3,
      out: expect.stringMatching(/^UNKNOWN - .*\n$/),
    });
  });

  it('for Prometheus has series by code and queue', async () => {
    const { out } = await doctor('--topics none --format prometheus');
    expect(out).toContain('oslo_bus_doctor_findings{code="SRV-NO-QUEUE",severity="error"} 1\n');
    expect(out).toContain('oslo_bus_doctor_findings{code="SRV-BACKLOG",severity="warning"} 0\n');
    expect(out).toContain('oslo_bus_doctor_unseen{code="REPLY-ORPHAN"} 1\n');
  });

  it('counts warnings as errors with --strict', async () => {
    await planted('notifications.info');
    for (let n = 0; n < 1_000; n++) channel.publish('openstack', 'notifications.info', Buffer.from('{}'));
    expect(await doctor('--topics conductor')).toMatchObject({ code: 1, codes: ['NOTE-NOBODY'] });
    expect(await doctor('--topics conductor --strict')).toMatchObject({ code: 2 });
  });

  it('explains a code, and knows no other', async () => {
    const { code, out } = await doctor('--explain srv-backlog --format text');
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^SRV-BACKLOG \(warning\): Requests wait/),
    });
    expect(await doctor('--explain SRV-NONE --format text')).toMatchObject({ code: 64 });
  });

  it('is none when the user ends it', async () => {
    const { code, out } = await doctorAt(vhost.url, '--topics conductor --watch 1h', {
      signal: AbortSignal.timeout(500),
    });
    expect({ code, out }).toMatchObject({ code: 130 });
  });
});
