import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, RpcServer } from '../../../lib/index.js';
import { oslo } from '../../support/command-line.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { type RabbitServer, startRabbit } from '../../support/rabbit-server.js';
import { useVhost } from '../../support/rabbit.js';

interface Drawn {
  exchanges: { name: string; queues: { name: string; consumers: number | null; isOrphan: boolean }[] }[];
}

describe('topology', () => {
  let rabbit: RabbitServer;
  let management: string;
  let broker: Broker;
  let server: RpcServer;

  beforeAll(async () => {
    const port = await freePort();
    rabbit = await startRabbit({
      plugins: ['rabbitmq_management'],
      configuration: [`management.tcp.port = ${port}`, 'management.tcp.ip = 127.0.0.1'],
    });
    management = `http://guest:guest@127.0.0.1:${port}`;
  }, 120_000);
  afterAll(() => rabbit.dispose());

  const vhost = useVhost({ server: () => rabbit });
  const run = (commandLine: string) => oslo(commandLine, { env: { OSLO_TRANSPORT_URL: vhost.url } });
  beforeAll(async () => {
    await vhost.admin.setPermissions(vhost.name, 'guest', { configure: '.*', write: '.*', read: '.*' });
    broker = await connectBroker(vhost.url);
    server = new RpcServer(broker, { exchange: 'openstack', topic: 'conductor', server: 'host1' }, [{ methods: {} }]);
    await server.start();
  });
  afterAll(async () => {
    await server.close();
    await broker.close();
  });

  it('shows what the broker lists: exchanges, queues and who consumes them', async () => {
    // A new queue's numbers are not known for some seconds.
    const { exchanges } = await eventually(
      async () => {
        const { documents } = await run(`topology --management-url ${management} --json`);
        const drawn = documents[0] as unknown as Drawn;
        const queues = drawn.exchanges.flatMap((exchange) => exchange.queues);
        return queues.length === 3 && queues.every(({ consumers }) => consumers === 1) ? drawn : undefined;
      },
      'numbers of the queues',
      30_000,
    );
    expect(exchanges).toMatchObject([
      { name: 'conductor_fanout', type: 'fanout', queues: [{ kind: 'fanout', keys: ['conductor'], isOrphan: false }] },
      {
        name: 'openstack',
        type: 'topic',
        queues: [
          { name: 'conductor', kind: 'topic', isOrphan: false, consumedBy: [expect.any(String)] },
          { name: 'conductor.host1', kind: 'server' },
        ],
      },
    ]);
    const { out } = await run(`topology --management-url ${management} --exchange openstack`);
    expect(out).toMatch(/^exchange openstack {2}topic\n├ conductor +topic .*1 consumer/);
  }, 60_000);

  it('has examples that run as they are', async () => {
    const { out } = await run('topology --help');
    const examples = [...out.matchAll(/^ {2}\$ (oslo-bus .*)$/gm)].map(([, example]) => example!);
    expect(examples).toHaveLength(3);
    for (const example of examples) {
      const here = example.replace('http://guest:guest@127.0.0.1:15672', management);
      expect(await run(here), example).toMatchObject({ code: 0 });
    }
  });

  it.each([
    ['no URL', '', 64],
    ['what is no URL', '--management-url nonsense', 78],
    ['a port where nobody is', '--management-url http://127.0.0.1:1', 69],
  ])('%s is told', async (_what, rest, code) => {
    expect(await run(`topology ${rest}`)).toMatchObject({ code, out: '' });
  });

  it('a user without a tag is refused', async () => {
    await vhost.admin.addUser('plain', 'secret');
    const url = management.replace('guest:guest', 'plain:secret');
    const { code, out, err } = await run(`topology --management-url ${url}`);
    await vhost.admin.deleteUser('plain');
    expect({ code, out }).toEqual({ code: 77, out: '' });
    expect(err).not.toContain('secret');
  });
});
