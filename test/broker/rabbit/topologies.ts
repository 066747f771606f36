import type { Declaration, Topology } from '../../../lib/wire/topology.js';

/** One exchange and a queue bound under its own name, as RPC servers declare them. */
export function topicTopology(exchange: string, queue: string, durable = false): Topology {
  const declarations: Declaration[] = [
    { kind: 'exchange', name: exchange, type: 'topic', durable, autoDelete: false },
    { kind: 'queue', name: queue, durable, autoDelete: false, arguments: {} },
    { kind: 'binding', queue, exchange, routingKey: queue },
  ];
  return declarations;
}
