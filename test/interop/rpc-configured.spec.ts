import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Broker,
  connectBroker,
  loadOsloConfig,
  MessageUndeliverable,
  RpcClient,
  RpcServer,
} from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { PythonPeer, pythonVersions } from './support/python-peer.js';

type Options = Record<string, boolean | number | string>;

/** What the settings do on the broker: to shared queues, to those of one process, and to consumers. */
interface Effect {
  durable?: boolean;
  shared?: object;
  own?: object;
  fanout?: object;
  /** What the names of queues of one process look like. */
  names?: RegExp;
  consumers?: object;
}

const settings: [string, Options, Effect, string[]][] = [
  ['kombu_compression', { kombu_compression: 'gzip' }, {}, [...pythonVersions]],
  // Python writes bzip2 then, and we what it reads as well.
  ['kombu_compression bzip2', { kombu_compression: 'bzip2' }, {}, ['18.3.1']],
  [
    'mirrored queues',
    { rabbit_ha_queues: true, enable_cancel_on_failover: true },
    {
      shared: { 'x-ha-policy': 'all' },
      own: { 'x-ha-policy': 'all', 'x-expires': 1_800_000 },
      consumers: { 'x-cancel-on-ha-failover': true },
    },
    [...pythonVersions],
  ],
  [
    'a short life of transient queues',
    { rabbit_transient_queues_ttl: 60 },
    { own: { 'x-expires': 60_000 } },
    [...pythonVersions],
  ],
  ['durable queues', { amqp_durable_queues: true }, { durable: true }, [...pythonVersions]],
  [
    'quorum queues',
    { rabbit_quorum_queue: true, rabbit_quorum_delivery_limit: 3 },
    { durable: true, shared: { 'x-queue-type': 'quorum', 'x-delivery-limit': 3 } },
    [...pythonVersions],
  ],
  [
    'quorum queues for all',
    { rabbit_quorum_queue: true, rabbit_transient_quorum_queue: true },
    {
      durable: true,
      shared: { 'x-queue-type': 'quorum' },
      own: { 'x-queue-type': 'quorum', 'x-expires': 1_800_000 },
    },
    // 14.0.3 has no such option.
    ['18.3.1'],
  ],
  [
    'stream fanout and queue manager',
    {
      rabbit_quorum_queue: true,
      rabbit_transient_quorum_queue: true,
      rabbit_stream_fanout: true,
      rabbit_qos_prefetch_count: 10,
      use_queue_manager: true,
      hostname: 'h1',
    },
    {
      durable: true,
      shared: { 'x-queue-type': 'quorum' },
      own: { 'x-queue-type': 'quorum', 'x-expires': 1_800_000 },
      fanout: { 'x-queue-type': 'stream', 'x-max-age': '1800s' },
      names: /^(ours_fanout|reply_h1:(python|node)-\d+:\d+)$/,
    },
    ['18.3.1'],
  ],
  [
    'queue manager',
    { use_queue_manager: true, hostname: 'h1' },
    { names: /^(ours_fanout|reply)_h1:(python|node)-\d+:\d+$/ },
    ['18.3.1'],
  ],
];

const cases = settings.flatMap(([name, options, effect, versions]) =>
  versions.map((version) => [name, version, options, effect] as const),
);

describe.each(cases)('%s, oslo.messaging %s configured by the same file', (_name, version, options, effect) => {
  const vhost = useVhost({ mayLeave: /./ });
  let directory: string;
  let python: PythonPeer;
  let broker: Broker;
  const target = { exchange: 'nova', topic: 'ours' };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'configured-'));
    const path = join(directory, 'nova.conf');
    const lines = Object.entries(options).map(([key, value]) => `${key} = ${value}`);
    const processname = `node-${process.pid}`;
    writeFileSync(path, `[DEFAULT]\ntransport_url = ${vhost.url}\n[oslo_messaging_rabbit]\n${lines.join('\n')}\n`);
    const own: Options = options['use_queue_manager'] ? { processname: `python-${process.pid}` } : {};
    python = await PythonPeer.start({
      version,
      url: vhost.url,
      conf: { oslo_messaging_rabbit: { ...options, ...own } },
    });
    const { transportUrl, rabbit } = loadOsloConfig(path);
    broker = await connectBroker(transportUrl!, { ...rabbit, processname, startupTimeoutMs: 20_000 });
  });
  afterAll(async () => {
    await broker?.close();
    await python?.close();
    rmSync(directory, { recursive: true });
    // The lock of Python's queue manager.
    const locks = readdirSync(tmpdir()).filter(
      (name) => name.startsWith('oslo_read_shm_') && name.endsWith(`-${process.pid}`),
    );
    for (const name of locks) rmSync(join(tmpdir(), name), { force: true });
  });

  it('calls us, on queues as it would declare them', async () => {
    const methods = { echo: (args: object) => args };
    const server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods }]);
    await server.start();
    const args = { text: 'é'.repeat(50_000), n: 1 };
    expect(await python.call('echo', args, { target, client: { timeout: 20 } })).toEqual(args);
    // Declared by both: with other arguments one of them would have been refused.
    await python.serve({ name: 'sibling', target: { ...target, server: 'host2' } });
    const queues = await vhost.listQueues();
    const shared = queues.filter(({ name }) => name === 'ours' || name === 'ours.host1');
    expect(shared.map((queue) => [queue.durable, queue.arguments])).toEqual(
      Array.from({ length: 2 }, () => [effect.durable ?? false, effect.shared ?? {}]),
    );
    const fanout = queues.filter(({ name }) => name.startsWith('ours_fanout'));
    const expected = effect.fanout ?? effect.own ?? { 'x-expires': 1_800_000 };
    expect(fanout.map((queue) => queue.arguments)).toEqual(fanout.map(() => expected));
    const names = effect.names ?? /^(ours_fanout|reply)_[0-9a-f]{32}$/;
    for (const { name } of queues) if (/^ours_fanout|^reply/.test(name)) expect(name).toMatch(names);
    const consumers = await vhost.listConsumers();
    for (const consumer of consumers.filter(({ queue }) => queue !== 'ours_fanout')) {
      expect(consumer.arguments).toEqual(effect.consumers ?? {});
    }
    await python.stop('sibling');
    await server.close();
  });

  it('and we reach all servers, its and ours, by fanout, once each', async () => {
    const heard: number[][] = [[], []];
    const servers = heard.map(
      (numbers, index) =>
        new RpcServer(broker, { ...target, server: `fan${index}` }, [
          { methods: { echo: ({ n }: { n: number }) => void numbers.push(n) } },
        ]),
    );
    for (const server of servers) await server.start();
    await python.serve({ name: 'fan', target: { ...target, server: 'fan' } });
    const client = new RpcClient(broker, target);
    const theirs = (): unknown[] => python.requests('fan').map(({ args }) => args['n']);
    // A stream tells those who come later of the last message alone: all of them are there when they hear this.
    await eventually(async () => {
      await client.fanout('echo', { n: 0 });
      return heard.every((numbers) => numbers.includes(0)) && theirs().includes(0);
    });
    for (const n of [1, 2, 3]) await client.fanout('echo', { n });
    await python.fanout('echo', { n: 4 }, { target });
    const all = [1, 2, 3, 4];
    // Python's pool of threads keeps no order.
    const counted = (): unknown[][] => [...heard, theirs()].map((numbers) => numbers.filter((n) => n !== 0).toSorted());
    await eventually(() => counted().every((numbers) => numbers.length >= 4));
    expect(counted()).toEqual([all, all, all]);
    await python.stop('fan');
    for (const server of servers) await server.close();
    await client.close();
  });

  it('is called by us', async () => {
    await python.serve({ name: 'one', target: { exchange: 'nova', topic: 'theirs', server: 'host1' } });
    const client = new RpcClient(broker, { exchange: 'nova', topic: 'theirs' }, { timeout: 20 });
    const args = { text: 'é'.repeat(50_000), n: 1 };
    expect(await client.call('echo', args)).toEqual(args);
    const nowhere = client.prepare({ topic: 'nobody', transportOptions: { atLeastOnce: true } });
    await expect(nowhere.call('echo', args)).rejects.toBeInstanceOf(MessageUndeliverable);
    await client.close();
  });
});
