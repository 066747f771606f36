import { describe, expect, it } from 'vitest';
import type { RabbitOptions } from '../../../lib/index.js';

import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import {
  controlExchangeTopology,
  fanoutExchangeTopology,
  newFanoutQueueName,
  newReplyQueueName,
  notificationTopology,
  replyQueueName,
  replyQueueTopology,
  rpcServerTopology,
  streamName,
} from '../../../lib/wire/topology.js';
import { declarationsIn, readGolden, type CapturedFrame } from '../../golden/read-golden.js';

type Connections = Record<string, CapturedFrame[]>;

/** The last queue declared by that connection. */
function queueOf(frames: readonly CapturedFrame[]): string {
  return frames.findLast(({ method }) => method === 'QueueDeclare')!.fields.queue as string;
}

describe.each([
  ['declarations.master.json', 'tm', 'sm', 'nm'],
  ['declarations.14.0.3.json', 'td', 'sd', 'nd'],
])('the topology with default options, as in %s', (name, topic, server, notifications) => {
  const captured = readGolden(name) as Connections;
  const options = resolveRabbitOptions();

  it('of a server', () => {
    const frames = captured.server_listen_connection!;
    const address = { exchange: 'openstack', topic, server, fanoutQueue: queueOf(frames) };
    expect(rpcServerTopology(address, options)).toEqual(declarationsIn(frames));
  });

  it('of a reply queue', () => {
    const frames = captured.client_reply_connection!;
    expect(replyQueueTopology(queueOf(frames), options)).toEqual(declarationsIn(frames));
  });

  it('of a client that sends', () => {
    const sent = [...controlExchangeTopology('openstack', options), ...fanoutExchangeTopology(topic, options)];
    expect(sent).toEqual(declarationsIn(captured.client_send_connection!));
  });

  it('of a notifier', () => {
    const priorities = ['AUDIT', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL'];
    const [first, ...others] = priorities.map((priority) =>
      notificationTopology({ exchange: 'openstack', topic: notifications, priority }, options),
    );
    // Python's channel declares the exchange on its own account before its first publish.
    const channel = controlExchangeTopology('openstack', options);
    const declared = [...first!, ...channel, ...others.flat()];
    expect(declared).toEqual(declarationsIn(captured.notifier_connection!));
  });
});

const LIMITS: RabbitOptions = {
  rabbitQuorumQueue: true,
  rabbitTransientQuorumQueue: true,
  rabbitQuorumDeliveryLimit: 5,
  rabbitQuorumMaxMemoryLength: 10,
  rabbitQuorumMaxMemoryBytes: 100,
};

describe.each([
  ['declarations.quorum.master.json', { rabbitQuorumQueue: true }],
  ['declarations.quorum_limits_transient_quorum.master.json', LIMITS],
])('the topology as in %s', (name, given) => {
  const captured = readGolden(name) as CapturedFrame[];
  const options = resolveRabbitOptions(given);
  const framesOf = (...connections: number[]) => captured.filter(({ conn }) => connections.includes(conn!));
  const exchange = captured[0]!.fields.exchange as string;
  const topic = exchange.replace(/_ex$/, '');

  it('of a server', () => {
    const address = { exchange, topic, server: 's', fanoutQueue: queueOf(framesOf(1)) };
    expect(rpcServerTopology(address, options)).toEqual(declarationsIn(framesOf(1)));
  });

  it('of a reply queue', () => {
    expect(replyQueueTopology(queueOf(framesOf(2)), options)).toEqual(declarationsIn(framesOf(2)));
  });

  it('of a client that sends', () => {
    const sent = [...controlExchangeTopology(exchange, options), ...fanoutExchangeTopology(topic, options)];
    expect(sent).toEqual(declarationsIn(framesOf(3, 4)));
  });
});

it('has one stream for the fanout of a topic where the options say so', () => {
  const captured = readGolden('declarations.quorum_transient_stream_qmanager.master.json') as CapturedFrame[];
  const frames = captured.filter(({ conn }) => conn === 1);
  const options = resolveRabbitOptions({
    rabbitQuorumQueue: true,
    rabbitTransientQuorumQueue: true,
    rabbitStreamFanout: true,
  });
  const exchange = frames.find(({ method }) => method === 'ExchangeDeclare')!.fields.exchange as string;
  const topic = exchange.replace(/_ex$/, '');
  const address = { exchange, topic, server: 's', fanoutQueue: streamName(topic) };
  expect(rpcServerTopology(address, options)).toEqual(declarationsIn(frames));
  const replies = captured.filter(({ conn }) => conn === 2);
  expect(queueOf(replies)).toBe(replyQueueName('h1:p1:1'));
  expect(replyQueueTopology(queueOf(replies), options)).toEqual(declarationsIn(replies));
});

it('is durable, auto-deleted and mirrored where the options say so, fanout and reply queues excepted', () => {
  const captured = readGolden('declarations.durable_autodelete_ha_ttl0_cancel.master.json') as CapturedFrame[];
  const frames = captured.filter(({ conn }) => conn === 1);
  const options = resolveRabbitOptions({
    amqpDurableQueues: true,
    amqpAutoDelete: true,
    rabbitHaQueues: true,
    rabbitTransientQueuesTtl: 0,
  });
  const exchange = frames[0]!.fields.exchange as string;
  const topic = frames.find(({ method }) => method === 'QueueDeclare')!.fields.queue as string;
  const address = { exchange, topic, server: 's', fanoutQueue: queueOf(frames) };
  expect(rpcServerTopology(address, options)).toEqual(declarationsIn(frames));
});

it('makes names of the captured shape, new each time', () => {
  const frames = (readGolden('declarations.master.json') as Connections).server_listen_connection!;
  const shape = new RegExp(`^${queueOf(frames).replace(/[0-9a-f]{32}$/, '[0-9a-f]{32}')}$`);
  expect(newFanoutQueueName('tm')).toMatch(shape);
  expect(newReplyQueueName()).toMatch(/^reply_[0-9a-f]{32}$/);
  expect(newReplyQueueName()).not.toBe(newReplyQueueName());
});
