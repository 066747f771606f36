import {
  type ListedBinding,
  type ListedConnection,
  type ListedConsumer,
  type ListedExchange,
  type ListedQueue,
  programOf,
} from './management-answers.js';
import { type QueueKind, queueKinds } from './queue-kinds.js';

/** Lists of the management API for a virtual host; consumers and connections as far as they may be seen. */
export interface TopologyLists {
  readonly exchanges: readonly ListedExchange[];
  readonly queues: readonly ListedQueue[];
  readonly bindings: readonly ListedBinding[];
  readonly consumers: readonly ListedConsumer[];
  readonly connections: readonly ListedConnection[];
}

/** Exchanges, the queues behind them, and who consumes those. */
export interface BusTopology {
  readonly exchanges: readonly TopologyExchange[];
  /** Queues that no exchange of a name leads to: replies go there, by the queue's name. */
  readonly unbound: readonly TopologyQueue[];
}

export interface TopologyExchange {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  /** A service has made it, and nothing is bound to it: what is sent there is lost. */
  readonly isOrphan: boolean;
  readonly queues: readonly TopologyQueue[];
}

export interface TopologyQueue {
  readonly name: string;
  /** By which the exchange routes to it. */
  readonly keys: readonly string[];
  readonly kind: QueueKind['kind'];
  /** Null: not known yet, as the queue is new. */
  readonly consumers: number | null;
  readonly messages: number | null;
  /** Programs by their own names, where they say one; each once. */
  readonly consumedBy: readonly string[];
  /** Nobody consumes it. */
  readonly isOrphan: boolean;
}

/** Made by every broker, in every virtual host. */
const BUILT_IN = /^(?:amq\..*)?$/s;

/** Puts together what the lists tell. The broker's own exchanges are left out, unless something is bound to them. */
export function busTopology(lists: TopologyLists): BusTopology {
  const { exchanges, queues, bindings } = lists;
  const described = describedQueues(lists);
  const keys = new Map<string, Map<string, string[]>>();
  for (const { exchange, queue, routingKey } of bindings) {
    const bound = keys.get(exchange) ?? new Map<string, string[]>();
    bound.set(queue, [...(bound.get(queue) ?? []), routingKey]);
    keys.set(exchange, bound);
  }
  const behind = (exchange: string): TopologyQueue[] =>
    sorted(
      [...(keys.get(exchange) ?? [])].flatMap(([name, routingKeys]) => {
        const queue = described.get(name);
        // It has gone between the two lists.
        return queue ? [{ ...queue, keys: routingKeys.toSorted() }] : [];
      }),
    );
  const shown = exchanges.map(({ name, type, durable }) => {
    const bound = behind(name);
    return { name, type, durable, isOrphan: bound.length === 0 && !BUILT_IN.test(name), queues: bound };
  });
  const reached = new Set(bindings.map(({ queue }) => queue));
  return {
    exchanges: sorted(shown.filter(({ name, queues: bound }) => bound.length > 0 || !BUILT_IN.test(name))),
    unbound: sorted(queues.flatMap(({ name }) => (reached.has(name) ? [] : [described.get(name)!]))),
  };
}

function describedQueues({
  queues,
  exchanges,
  bindings,
  consumers,
  connections,
}: TopologyLists): Map<string, TopologyQueue> {
  const kinds = queueKinds(
    queues.map(({ name }) => name),
    exchanges.map(({ name }) => name),
    bindings,
  );
  const programs = new Map(
    connections.map((connection) => [connection.name, programOf(connection) ?? connection.name]),
  );
  const consumedBy = new Map<string, Set<string>>();
  for (const { queue, connection } of consumers) {
    const names = consumedBy.get(queue) ?? new Set();
    consumedBy.set(queue, names.add(programs.get(connection) ?? connection));
  }
  return new Map(
    queues.map((queue) => [
      queue.name,
      {
        name: queue.name,
        keys: [],
        kind: kinds.get(queue.name)?.kind ?? 'other',
        consumers: queue.consumers,
        messages: queue.ready,
        consumedBy: [...(consumedBy.get(queue.name) ?? [])].toSorted(),
        isOrphan: queue.consumers === 0,
      },
    ]),
  );
}

function sorted<Named extends { readonly name: string }>(all: readonly Named[]): Named[] {
  return all.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}
