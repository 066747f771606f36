import { describe, expect, it } from 'vitest';
import { TOPOLOGY_DRAWINGS } from '../../../lib/cli/topology-drawing.js';
import { painted } from '../../../lib/cli/tone.js';
import { busTopology, type TopologyLists } from '../../../lib/observe/bus/bus-topology.js';
import type { ListedConnection, ListedQueue } from '../../../lib/observe/bus/management-answers.js';

const queue = (name: string, consumers: number | null, ready: number | null = 0): ListedQueue => ({
  name,
  durable: false,
  autoDelete: false,
  exclusive: false,
  type: 'classic',
  arguments: {},
  policy: {},
  ready,
  unacknowledged: 0,
  consumers,
  publishRate: null,
  deliverRate: null,
});
const connection = (name: string, program?: string): ListedConnection => ({
  name,
  program,
  user: 'nova',
  peerHost: '10.0.0.7',
  product: undefined,
  productVersion: undefined,
  protocol: 'AMQP 0-9-1',
  capabilities: [],
});
const exchange = (name: string, type = 'topic') => ({ name, type, durable: false, madeBy: undefined });
const binding = (from: string, to: string, routingKey = to) => ({ exchange: from, queue: to, routingKey });

const lists: TopologyLists = {
  exchanges: [
    exchange('', 'direct'),
    exchange('amq.topic'),
    exchange('nova'),
    exchange('conductor_fanout', 'fanout'),
    exchange('gone_fanout', 'fanout'),
  ],
  queues: [
    queue('conductor', 2),
    queue('conductor.host1', 1),
    queue('conductor.host9', 0, 3),
    queue('conductor_fanout_1', 1),
    queue('reply_1', 1),
    queue('notifications.info', 0, 88),
    queue('new', null, null),
  ],
  bindings: [
    binding('nova', 'conductor'),
    binding('nova', 'conductor.host1'),
    binding('nova', 'conductor.host9'),
    binding('nova', 'notifications.info'),
    binding('conductor_fanout', 'conductor_fanout_1', 'conductor'),
    binding('nova', 'gone-between-the-lists'),
  ],
  consumers: [
    { queue: 'conductor', connection: 'a' },
    { queue: 'conductor', connection: 'a' },
    { queue: 'conductor.host1', connection: 'b' },
    { queue: 'reply_1', connection: 'c' },
  ],
  connections: [
    connection('a', 'nova-conductor:1234:01234567-89ab-cdef-0123-456789abcdef'),
    connection('b', 'own name'),
  ],
};

describe('the topology of a bus', () => {
  const topology = busTopology(lists);
  const named = (name: string) => topology.exchanges.find((one) => one.name === name);

  it('has exchanges of services, not those of every broker', () => {
    expect(topology.exchanges.map(({ name }) => name)).toEqual(['conductor_fanout', 'gone_fanout', 'nova']);
    const tapped = busTopology({ ...lists, bindings: [...lists.bindings, binding('amq.topic', 'new')] });
    expect(tapped.exchanges.map(({ name }) => name)).toContain('amq.topic');
  });

  it('has the queues behind them with their keys, kinds and consumers', () => {
    expect(named('nova')!.queues).toMatchObject([
      { name: 'conductor', keys: ['conductor'], kind: 'topic', consumedBy: ['nova-conductor:1234 on 10.0.0.7'] },
      { name: 'conductor.host1', kind: 'server', consumers: 1, consumedBy: ['own name on 10.0.0.7'] },
      { name: 'conductor.host9', kind: 'server', messages: 3 },
      { name: 'notifications.info', kind: 'notification', messages: 88 },
    ]);
    expect(named('conductor_fanout')!.queues).toMatchObject([{ keys: ['conductor'], kind: 'fanout' }]);
    expect(topology.unbound).toMatchObject([
      { name: 'new', consumers: null, messages: null },
      { name: 'reply_1', kind: 'reply', consumedBy: ['c'] },
    ]);
  });

  it('marks queues that nobody consumes, and exchanges that lead nowhere', () => {
    const all = [...topology.exchanges.flatMap(({ queues }) => queues), ...topology.unbound];
    expect(all.filter(({ isOrphan }) => isOrphan).map(({ name }) => name)).toEqual([
      'conductor.host9',
      'notifications.info',
    ]);
    expect(topology.exchanges.filter(({ isOrphan }) => isOrphan).map(({ name }) => name)).toEqual(['gone_fanout']);
  });

  it('is drawn as a tree', () => {
    const drawn = TOPOLOGY_DRAWINGS.text(topology);
    expect(drawn.filter((line) => typeof line !== 'string' && line.tone === 'doubtful')).toHaveLength(3);
    const lines = drawn.map((line) => painted(line, false, String));
    expect(lines).toContainEqual(expect.stringMatching(/^exchange gone_fanout {2}fanout {2}ORPHAN: no queue/));
    expect(lines).toContainEqual(expect.stringMatching(/^├ conductor\.host9 +server +3 waiting +ORPHAN: nobody/));
    expect(lines).toContainEqual(
      expect.stringMatching(/^└ conductor_fanout_1 {2}fanout {2}by conductor +0 waiting {2}1 consumer$/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^├ new +other +not known yet {2}not known yet$/));
  });

  it('is drawn as graphs, each thing once', () => {
    for (const format of ['dot', 'mermaid'] as const) {
      const drawn = TOPOLOGY_DRAWINGS[format](topology).join('\n');
      expect(drawn.match(/nova-conductor:1234/g)).toHaveLength(1);
      expect(drawn.match(/conductor\.host9, 3 waiting/g)).toHaveLength(1);
    }
    expect(TOPOLOGY_DRAWINGS.dot(topology).filter((line) => line.includes('color=red'))).toHaveLength(3);
    expect(TOPOLOGY_DRAWINGS.mermaid(topology).at(-1)).toMatch(/^ {2}class n\d+,n\d+,n\d+ orphan$/);
  });

  it('names that would break out of a graph do not', () => {
    const hostile = `a"]; b --> c\\\n<script>|%%{`;
    const broken = busTopology({ ...lists, exchanges: [exchange(hostile)], queues: [], bindings: [] });
    expect(TOPOLOGY_DRAWINGS.dot(broken)).toContain(
      String.raw`  n0 [shape=hexagon label="a\"]; b --> c\\\\u000a<script>|%%{ (topic)" color=red style=dashed];`,
    );
    const [, node] = TOPOLOGY_DRAWINGS.mermaid(broken);
    expect(node).toMatch(/^ {2}n0\{\{"[\w .,:()/#;-]*"\}\}$/);
  });
});
