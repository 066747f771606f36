import type { Declaration } from '../../lib/wire/topology.js';
import { multiplied, type Scenario } from './scenarios.js';

export interface WireTarget {
  target: { topic: string; server?: string; fanout?: boolean };
  exchange: string;
  routingKey: string;
  /** A queue that gets such messages, declared by hand. */
  queue: string;
  topology: readonly Declaration[];
}

const topic = 'testtopic';
const server = 'testserver';

function topicTarget(target: WireTarget['target'], queue: string): WireTarget {
  const exchange = 'openstack';
  return {
    target,
    exchange,
    routingKey: queue,
    queue,
    topology: [
      { kind: 'exchange', name: exchange, type: 'topic', durable: false, autoDelete: false },
      { kind: 'queue', name: queue, durable: false, autoDelete: false, arguments: {} },
      { kind: 'binding', queue, exchange, routingKey: queue },
    ],
  };
}

const fanoutTarget: WireTarget = {
  target: { topic, fanout: true },
  exchange: 'testtopic_fanout',
  routingKey: '',
  queue: 'testtopic_fanout_12345',
  topology: [
    { kind: 'exchange', name: 'testtopic_fanout', type: 'fanout', durable: false, autoDelete: true },
    { kind: 'queue', name: 'testtopic_fanout_12345', durable: false, autoDelete: false, arguments: {} },
    { kind: 'binding', queue: 'testtopic_fanout_12345', exchange: 'testtopic_fanout', routingKey: topic },
  ],
};

const targets: Scenario<WireTarget>[] = [
  ['to a topic', topicTarget({ topic }, 'testtopic')],
  ['to a server', topicTarget({ topic, server }, 'testtopic.testserver')],
  ['to a fanout', fanoutTarget],
];

/** Python's datetime(1920, 2, 3, 4, 5, 6, 7) is text when it is on the wire. */
const DATETIME = '1920-02-03T04:05:06.000007';

const messages: Scenario<{ args: Record<string, unknown> }>[] = [
  ['no arguments', { args: {} }],
  ['a plain argument', { args: { foo: 'bar' } }],
  ['a nested time', { args: { a: { b: DATETIME } } }],
];

const contexts: Scenario<{ context: Record<string, string>; packed: Record<string, string> }>[] = [
  ['no context', { context: {}, packed: {} }],
  [
    'a context of user and project',
    {
      context: { user: 'mark', project: 'snarkybunch' },
      packed: { _context_user: 'mark', _context_project: 'snarkybunch' },
    },
  ],
];

/** The table of oslo.messaging's `TestRequestWireFormat` and `TestReplyWireFormat`. */
export const wireFormats = multiplied(messages, multiplied(contexts, targets));
