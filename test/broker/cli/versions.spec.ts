import amqp, { type Channel, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, type RpcEndpoint, RpcServer } from '../../../lib/index.js';
import { oslo } from '../../support/command-line.js';
import { useVhost } from '../../support/rabbit.js';

const vhost = useVhost();
const servers: RpcServer[] = [];
let broker: Broker;
let connection: ChannelModel;
let channel: Channel;

const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
  oslo(commandLine, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url } });

async function serve(topic: string, server: string, endpoints: readonly RpcEndpoint[]): Promise<void> {
  const started = new RpcServer(broker, { exchange: 'openstack', topic, server }, endpoints);
  await started.start();
  servers.push(started);
}

beforeAll(async () => {
  connection = await amqp.connect(vhost.amqpUrl);
  channel = await connection.createChannel();
  broker = await connectBroker(vhost.url);
  broker.events.subscribe(() => undefined);
  await serve('scheduler', 'host1', [{ version: '3.12', methods: {} }]);
  await serve('scheduler', 'host2', [{ version: '3.11', methods: {} }]);
  await serve('compute', 'host1', [
    { version: '5.13', methods: {} },
    { version: '6.3', methods: {} },
    { namespace: 'baseapi', version: '1.1', methods: {} },
  ]);
});
afterAll(async () => {
  for (const server of servers) await server.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
  await broker.close();
  await connection.close();
});

describe('versions', () => {
  it('finds what each server serves, and who is behind', async () => {
    const { code, documents } = await run('versions scheduler --all --servers host1,host2 --from 3.12 --yes --json');
    expect(code).toBe(0);
    expect(documents).toEqual([
      {
        v: 1,
        command: 'versions',
        target: { exchange: 'openstack', topic: 'scheduler', server: 'host1', namespace: null },
        answer: 'served',
        consumers: 1,
        served: ['3.12'],
        calls: 3,
        refused: 2,
        state: 'complete',
        behind: null,
      },
      expect.objectContaining({ served: ['3.11'], behind: 'host1 serves 3.12' }),
    ]);
  });

  it('for people is a table', async () => {
    const { code, out, err } = await run('versions compute.host1 scheduler.host2 --namespace baseapi --yes');
    expect(code).toBe(1);
    const rows = out.split('\n').map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));
    expect(rows[0]).toEqual(['topic', 'server', 'namespace', 'serves', 'calls']);
    expect(rows[1]?.slice(0, 4)).toEqual(['compute', 'host1', 'baseapi', '1.1']);
    expect(rows[2]?.slice(0, 4)).toEqual(['scheduler', 'host2', 'baseapi', 'nothing']);
    expect(err).toContain('at most 40 of them');
  });

  it('tells all majors, and where any of several servers may have answered', async () => {
    expect((await run('versions compute --yes --json')).documents[0]).toMatchObject({ served: ['6.3', '5.13'] });
    expect((await run('versions scheduler --yes')).err).toContain("'scheduler' has 2 consumers");
  });

  it('nobody there, and nobody who answers', async () => {
    await channel.assertQueue('mute', { durable: false });
    await channel.bindQueue('mute', 'openstack', 'mute');
    await channel.consume('mute', () => undefined);
    expect(await run('versions compute.host9 --yes')).toMatchObject({
      code: 68,
      out: expect.stringContaining('NOBODY'),
    });
    expect(await run('versions compute --exchange none --yes --json')).toMatchObject({
      code: 68,
      documents: [expect.objectContaining({ answer: 'nobody', calls: 0 })],
    });
    expect(await run('versions mute --timeout 500ms --yes')).toMatchObject({
      code: 75,
      out: expect.stringContaining('SILENT'),
    });
  });

  it('asks before it causes errors in logs', async () => {
    const told = expect.stringContaining('at most 20 of them');
    expect(await run('versions compute', { answer: 'y' })).toMatchObject({ code: 0, err: told });
    expect(await run('versions compute', { answer: '' })).toMatchObject({ code: 130, out: '' });
    expect(await run('versions compute')).toMatchObject({ code: 64, err: expect.stringContaining('--yes') });
  });

  it.each(['versions', 'versions compute --all --yes', 'versions compute --from soon --yes'])(
    '%s is no use',
    async (line) => {
      expect(await run(line)).toMatchObject({ code: 64 });
    },
  );
});

it('ping asks each server that is named', async () => {
  const { code, documents } = await run('ping scheduler --all --servers host1,host2,host3 --version 3.0 --json');
  expect(code).toBe(68);
  expect(documents.map(({ answer }) => answer)).toEqual(['alive', 'alive', 'nobody']);
  expect(await run('ping scheduler --all --version 3.0')).toMatchObject({
    code: 64,
    err: expect.stringContaining('--servers'),
  });
});

it('why names the versions that are served instead', async () => {
  const { code, documents } = await run('why compute --version 7.0 --json');
  expect(code).toBe(1);
  const findings = documents[0]!.findings as { step: string; seen: string }[];
  expect(findings.at(-1)).toMatchObject({
    step: 'version',
    seen: 'version 7.0 is not served by whoever has answered; the highest it serves: 6.3',
  });
});
