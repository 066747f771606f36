import { readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Broker,
  connectBroker,
  NotificationListener,
  NotifierCore,
  type NotifierOptions,
  type RabbitOptions,
  RpcClient,
  RpcServer,
} from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import type { Permissions } from '../support/rabbit-admin.js';
import { rabbitUrl } from '../support/rabbit-url.js';

type Kind = keyof Permissions;
/** The alternatives of each regular expression. */
type Names = Readonly<Record<Kind, readonly string[]>>;
type Work = (limited: Broker, other: Broker) => Promise<void>;

const user = 'limited';
const target = { exchange: 'nova', topic: 'conductor' };
const kinds = ['configure', 'write', 'read'] as const;

const vhost = useVhost();
const closings: (() => Promise<unknown>)[] = [];

beforeEach(() => vhost.admin.addUser(user, 'secret'));
afterEach(async () => {
  for (const close of closings.splice(0).toReversed()) await close();
  await vhost.admin.deleteUser(user);
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
  await vhost.admin.deleteExchange(vhost.name, target.exchange);
});

/** The patterns of the page, by the role that they are for. */
const documented = new Map(
  [...readFileSync('docs/operations.md', 'utf8').matchAll(/set_permissions -p cloud (\w+) ((?:.*\\\n)*.*)/g)].map(
    ([, role, patterns]): [string, Names] => [role!, namesIn(patterns!)],
  ),
);

function namesIn(patterns: string): Names {
  const [configure, write, read] = [...patterns.matchAll(/'\^\((.*?)\)\$'/g)].map(([, names]) => names!.split('|'));
  return { configure: configure!, write: write!, read: read! };
}

function permissions(names: Names, missing?: { kind: Kind; name: string }): Permissions {
  const pattern = (kind: Kind): string =>
    `^(${names[kind].filter((name) => kind !== missing?.kind || name !== missing.name).join('|') || 'nothing'})$`;
  return { configure: pattern('configure'), write: pattern('write'), read: pattern('read') };
}

async function connected(who: 'anybody' | 'limited', options: RabbitOptions = {}): Promise<Broker> {
  const address = who === 'anybody' ? vhost.address : { ...vhost.address, user, password: 'secret' };
  const broker = await connectBroker(rabbitUrl(address, vhost.name), options);
  closings.push(() => broker.close());
  return broker;
}

function reportedBy(broker: Broker): string[] {
  const reported: string[] = [];
  broker.events.subscribe(({ type, level, message }) => void reported.push(`${level} ${type}: ${message}`));
  return reported;
}

async function serve(broker: Broker): Promise<() => number> {
  let pings = 0;
  const server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods: { ping: () => (pings += 1) } }]);
  closings.push(() => server.close());
  await server.start();
  return () => pings;
}

async function callCastAndFanout(broker: Broker): Promise<void> {
  const client = new RpcClient(broker, target, { timeout: 6 });
  closings.push(() => client.close());
  expect(await client.call('ping')).toBe(1);
  expect(await client.prepare({ server: 'host1' }).call('ping')).toBe(2);
  await client.cast('ping');
  await client.fanout('ping');
}

async function listen(broker: Broker): Promise<unknown[]> {
  const heard: unknown[] = [];
  const handler = ({ payload }: { payload: unknown }): void => void heard.push(payload);
  const listener = new NotificationListener(broker, [
    { priorities: 'info', exchange: 'nova', handler },
    { priorities: 'info', exchange: 'nova', pool: 'audit', handler },
  ]);
  closings.push(() => listener.close());
  await listener.start();
  return heard;
}

async function notify(broker: Broker, options: NotifierOptions = {}): Promise<void> {
  const notifier = new NotifierCore(broker, { exchange: 'nova', ...options });
  closings.push(() => notifier.close());
  await notifier.info('it.happened', 'told');
}

/** All that a role may want to do. */
const works: Readonly<Record<string, Work>> = {
  async caller(limited, other) {
    const pings = await serve(other);
    await callCastAndFanout(limited);
    await eventually(() => pings() === 4);
  },
  async server(limited, other) {
    const pings = await serve(limited);
    await callCastAndFanout(other);
    await eventually(() => pings() === 4);
  },
  async notifier(limited, other) {
    const heard = await listen(other);
    await notify(limited);
    await eventually(() => heard.length === 2);
  },
  async listener(limited, other) {
    const heard = await listen(limited);
    await notify(other);
    await eventually(() => heard.length === 2);
  },
};

it('the page has patterns for each role', () => {
  expect([...documented.keys()]).toEqual(Object.keys(works));
});

describe.each([...documented])('a %s', (role, names) => {
  const work = works[role]!;

  it.each<[string, RabbitOptions]>([
    ['plain', {}],
    ['durable', { amqpDurableQueues: true }],
    ['quorum', { rabbitQuorumQueue: true, rabbitTransientQuorumQueue: true }],
  ])('does its work with the patterns of the page, on %s queues', async (_kind, options) => {
    await vhost.admin.setPermissions(vhost.name, user, permissions(names));
    const limited = await connected('limited', options);
    const reported = reportedBy(limited);
    await work(limited, await connected('anybody', options));
    expect(reported.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });

  const each = kinds.flatMap((kind) => names[kind].map((name) => ({ kind, name })));
  it.each(each)('cannot do without $kind of $name, and is told so', async (missing) => {
    await vhost.admin.setPermissions(vhost.name, user, permissions(names, missing));
    const limited = await connected('limited');
    const reported = reportedBy(limited);
    const outcome: unknown = await work(limited, await connected('anybody')).catch((error: unknown) => error);
    const refusal = expect.stringMatching(
      new RegExp(`access to (queue|exchange) '(${missing.name})' in vhost '.*' refused for user '${user}'`),
    );
    // A server's answers have nobody to reject to: its caller gets a timeout, its operator the event.
    if (missing.name !== String.raw`amq\.default`)
      expect(outcome).toMatchObject({ code: 'OSLO_DELIVERY', message: refusal, fault: 'caller', retryable: false });
    else expect(reported.find((line) => line.startsWith('warn reply-dropped'))).toEqual(refusal);
  });
});

describe('the page says what else changes', () => {
  const without = (names: readonly string[], name: string): string[] => names.filter((each) => each !== name);

  it('names that stay need no others', async () => {
    const options = { useQueueManager: true, hostname: 'host1', processname: `node-permissions-${process.pid}` };
    for (const role of ['caller', 'server']) {
      await vhost.admin.setPermissions(vhost.name, user, permissions(documented.get(role)!));
      await works[role]!(await connected('limited', options), await connected('anybody'));
      for (const close of closings.splice(0).toReversed()) await close();
    }
    const left = (await vhost.listQueues())
      .map(({ name }) => name)
      .filter((name) => name.includes(options.processname));
    expect(left.map((name) => name.split('_host1:')[0]).toSorted()).toEqual(['conductor_fanout', 'reply']);
    rmSync(`/dev/shm/${options.hostname}_${options.processname}_qmanager`);
  });

  it("a server's fanout queue is the stream `conductor_fanout`", async () => {
    const options = { rabbitTransientQuorumQueue: true, rabbitStreamFanout: true };
    const { configure, write, read } = documented.get('server')!;
    const own = 'conductor_fanout_.+';
    const names = { configure: without(configure, own), write: without(write, own), read: without(read, own) };
    const stream = { ...names, write: [...names.write, 'conductor_fanout'] };
    await vhost.admin.setPermissions(vhost.name, user, permissions(names));
    await expect(serve(await connected('limited', options))).rejects.toThrow(
      /access to queue 'conductor_fanout' .* refused for user/,
    );
    await vhost.admin.setPermissions(vhost.name, user, permissions(stream));
    await works['server']!(await connected('limited', options), await connected('anybody', options));
  });

  it('a notifier that declares no queues needs the exchange alone', async () => {
    await vhost.admin.setPermissions(vhost.name, user, { configure: '^nova$', write: '^nova$', read: '^$' });
    const heard = await listen(await connected('anybody'));
    await notify(await connected('limited'), { declareQueues: false });
    await eventually(() => heard.length === 2);
  });
});
