import { afterEach, describe, expect, it } from 'vitest';
import { ClosedError, RpcClient, RpcServer, type Serializer } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { multiplied, type Scenario } from '../../support/scenarios.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
// Registered first, it runs last: a broker that is open would make its queues again.
afterEach(async () => {
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor' };

// TestMultipleServers. It runs on the fake driver, which keeps exchanges apart; on RabbitMQ a fanout exchange is
// named by its topic alone.
describe('two servers, each with a client: who receives what', () => {
  interface Fleet {
    exchange1?: string;
    exchange2?: string;
    topic1: string;
    topic2: string;
    server1?: string;
    server2?: string;
    fanout: boolean;
    kind: 'call' | 'cast';
    endpoints: 1 | 2;
  }
  const exchanges: Scenario<Pick<Fleet, 'exchange1' | 'exchange2'>>[] = [
    ['same exchange', {}],
    ['two exchanges', { exchange1: 'x1', exchange2: 'x2' }],
  ];
  const topics: Scenario<Pick<Fleet, 'topic1' | 'topic2'>>[] = [
    ['same topic', { topic1: 't', topic2: 't' }],
    ['two topics', { topic1: 't1', topic2: 't2' }],
  ];
  const servers: Scenario<Pick<Fleet, 'server1' | 'server2'>>[] = [
    ['same server', {}],
    ['two servers', { server1: 's1', server2: 's2' }],
  ];
  const kinds: Scenario<Pick<Fleet, 'fanout' | 'kind'>>[] = [
    ['call', { fanout: false, kind: 'call' }],
    ['cast', { fanout: false, kind: 'cast' }],
    ['fanout', { fanout: true, kind: 'cast' }],
  ];
  const endpoints: Scenario<Pick<Fleet, 'endpoints'>>[] = [
    ['one endpoint', { endpoints: 1 }],
    ['two endpoints', { endpoints: 2 }],
  ];
  const scenarios = multiplied(exchanges, multiplied(topics, multiplied(servers, multiplied(kinds, endpoints)))).filter(
    ([, { topic1, topic2, server1, server2 }]) => topic1 !== topic2 || server1 !== server2,
  );

  const serializer: Serializer = {
    serializeEntity: (_context, entity) => (entity ? `s${entity as string}` : entity),
    deserializeEntity: (_context, entity) => (entity ? `d${entity as string}` : entity),
    serializeContext: (context) => context,
    deserializeContext: (context) => context,
  };

  it.each(scenarios)('%s', async (_name, fleet) => {
    const { exchange1, exchange2, topic1, topic2, server1, server2, fanout, kind } = fleet;
    const broker = brokers.open(vhost.url);
    const pings1: string[] = [];
    const pings2 = fleet.endpoints === 1 ? pings1 : [];
    const parties = [
      { exchange: exchange1, topic: topic1, server: server1, pings: pings1, arg: '1' },
      { exchange: exchange2, topic: topic2, server: server2, pings: pings2, arg: '2' },
    ].map(({ server, pings, arg, ...own }) => {
      const methods = { ping: (args: { arg: string }) => void pings.push(args.arg), alive: () => 'alive' };
      const serving = new RpcServer(broker, { ...own, server: server ?? 'testserver' }, [{ methods }], { serializer });
      return { serving, arg, client: new RpcClient(broker, { ...own, server }, { serializer }) };
    });
    await Promise.all(parties.map(({ serving }) => serving.start()));
    for (const { client, arg } of parties) {
      if (fanout) expect(await client.call('alive')).toBe('dsalive');
      const sender = fanout ? client.prepare({ fanout: true }) : client;
      // Twice, as two servers that shared a queue by mistake would get one each.
      for (const _time of [1, 2]) await sender[kind]('ping', { arg });
    }
    const both = ['ds1', 'ds1', 'ds2', 'ds2'];
    const reachesBoth = fanout && topic1 === topic2;
    const apart = reachesBoth ? [both, both] : [both.slice(0, 2), both.slice(2)];
    const together = apart.flat().toSorted();
    const expected = fleet.endpoints === 1 ? [together, together] : apart;
    const received = (): string[][] => [pings1, pings2].map((pings) => pings.toSorted());
    await eventually(() => received().flat().length >= expected.flat().length);
    // A stop runs what has been received, so what came too often would be there now.
    for (const { serving, client } of parties) await Promise.all([serving.close(), client.close()]);
    expect(received()).toEqual(expected);
  });
});

// TestServerLocking, with one close() in place of stop() and wait().
describe('starting and stopping a server', () => {
  const consumed = ['conductor', 'conductor.host1', expect.stringMatching(/^conductor_fanout_[0-9a-f]{32}$/)];
  const consumers = async (): Promise<string[]> => (await vhost.listConsumers()).map(({ queue }) => queue).toSorted();

  function serverOf(foo: () => unknown = () => 'done', options = {}): RpcServer {
    const endpoints = [{ methods: { foo } }];
    return new RpcServer(brokers.open(vhost.url), { ...target, server: 'host1' }, endpoints, options);
  }

  it('start, stop: its queues are consumed, then not, and its fanout queue is gone', async () => {
    const server = serverOf();
    await server.start();
    expect(await consumers()).toEqual(consumed);
    await server.close();
    expect(await consumers()).toEqual([]);
    expect((await vhost.listQueues()).map(({ name }) => name).toSorted()).toEqual(['conductor', 'conductor.host1']);
  });

  it('two starts at once are one, and so are two stops; a start of a server that runs does nothing', async () => {
    const server = serverOf();
    await Promise.all([server.start(), server.start()]);
    await server.start();
    expect(await consumers()).toEqual(consumed);
    await Promise.all([server.close(), server.close()]);
    await server.close();
    expect(await consumers()).toEqual([]);
  });

  it('a stop waits for a handler that runs, and the caller is answered', async () => {
    let finish = (): void => undefined;
    const server = serverOf(() => new Promise<void>((resolve) => (finish = resolve)));
    await server.start();
    const client = new RpcClient(brokers.open(vhost.url), target);
    const calling = client.call('foo');
    await eventually(() => server.counters.dispatched === 1);
    const order: string[] = [];
    const stopping = server.close().then(() => order.push('stopped'));
    await eventually(async () => (await consumers()).every((queue) => queue.startsWith('reply_')));
    order.push('finished');
    finish();
    expect(await calling).toBeNull();
    await stopping;
    expect(order).toEqual(['finished', 'stopped']);
    await client.close();
  });

  it('ours: shutdownTimeoutMs ends the wait for a handler, where Python raises TaskTimeout and waits on', async () => {
    const server = serverOf(() => new Promise<never>(() => undefined), { shutdownTimeoutMs: 100 });
    await server.start();
    await new RpcClient(brokers.open(vhost.url), target).cast('foo');
    await eventually(() => server.counters.dispatched === 1);
    await server.close();
    expect(await consumers()).toEqual([]);
  });

  it('ours: a stop before the start is the end, where Python’s waits for the start', async () => {
    const server = serverOf();
    await server.close();
    await expect(server.start()).rejects.toBeInstanceOf(ClosedError);
    expect(await consumers()).toEqual([]);
  });

  it('ours: a stop while it starts ends the start, and leaves nothing', async () => {
    const server = serverOf();
    const starting = server.start().catch((error: unknown) => error);
    await server.close();
    expect(await starting).toBeInstanceOf(ClosedError);
    // The connection may have come up meanwhile: what had begun by then is left as soon as it is there.
    await eventually(async () => (await consumers()).length === 0);
  });

  it('ours: who was stopped stays so; another server takes its place and its queues', async () => {
    const first = serverOf();
    await first.start();
    await first.close();
    await expect(first.start()).rejects.toBeInstanceOf(ClosedError);
    const second = serverOf();
    await second.start();
    expect(await consumers()).toEqual(consumed);
    await second.close();
  });
});
