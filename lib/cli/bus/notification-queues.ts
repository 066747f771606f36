import type { Delivery, MessageBroker } from '../../broker/broker.js';
import { entryOf } from '../../notify/listener/notification-registration.js';
import { planTopology, queuePlans } from '../../notify/listener/queue-plan.js';
import { tapQueue } from '../../observe/tap/tap-queue.js';
import type { NotificationPriority } from '../../wire/notification.js';
import type { Topology } from '../../wire/topology.js';
import { NobodyThere } from '../exit-codes.js';
import { requireExchange } from './bus-session.js';

/** Where notifications are taken from: a queue of one's own, a pool that lasts, or the queues that all share. */
export type ListenMode = { readonly kind: 'own' | 'take' } | { readonly kind: 'pool'; readonly pool: string };

/** Which notifications, and how. */
export interface ListenRequest {
  readonly exchange: string;
  readonly topics: readonly string[];
  readonly priorities: readonly NotificationPriority[];
  readonly mode: ListenMode;
  /** Notifications that are held here at most. */
  readonly prefetch: number;
}

/** Queues that are being read. */
export interface OpenQueues {
  readonly queues: readonly string[];
  /** What is not acknowledged goes back. */
  close(): Promise<void>;
}

const STARTUP_MS = 10_000;

/** `<topic>.<priority>`: routing keys, and the queues of who names no pool. */
export function sharedQueues({ topics, priorities }: Pick<ListenRequest, 'priorities' | 'topics'>): string[] {
  return topics.flatMap((topic) => priorities.map((priority) => `${topic}.${priority}`));
}

/**
 * Begins to read; each delivery has to be acknowledged.
 *
 * @throws NobodyThere there is no such exchange, or nothing to take from
 * @throws MessageDeliveryFailure not allowed, or not within 10 s
 */
export async function openQueues(
  broker: MessageBroker,
  request: ListenRequest,
  take: (delivery: Delivery) => void,
): Promise<OpenQueues> {
  await requireExchange(broker, request.exchange);
  const { queues, topology } = await placesOf(broker, request);
  const subscription = await broker.consume({
    topology,
    queues,
    prefetch: request.prefetch,
    giveUpMs: STARTUP_MS,
    ...(request.mode.kind === 'pool' && { pool: request.mode.pool }),
    onDeliveries: (deliveries) => deliveries.forEach(take),
  });
  return { queues, close: () => subscription.close() };
}

async function placesOf(
  broker: MessageBroker,
  request: ListenRequest,
): Promise<{ queues: readonly string[]; topology: Topology }> {
  const { exchange, topics, priorities, mode } = request;
  switch (mode.kind) {
    case 'own':
      return ownPool(request);
    case 'pool': {
      const registration = { topics, priorities, pool: mode.pool, handler: () => undefined };
      const [plan] = queuePlans([entryOf(registration, 0, { exchange, topics })]);
      return { queues: [plan!.queue], topology: planTopology(plan!, broker.options) };
    }
    case 'take':
      return { queues: await existing(broker, request), topology: [] };
  }
}

/** It goes with our connection, and makes room when it is full: nobody who publishes is held up. */
function ownPool(request: ListenRequest): { queues: readonly string[]; topology: Topology } {
  const { exchange } = request;
  const queue = tapQueue('listen');
  const bindings = sharedQueues(request).map(
    (routingKey) => ({ kind: 'binding', queue: queue.name, exchange, routingKey }) as const,
  );
  return { queues: [queue.name], topology: [queue, ...bindings] };
}

/** Queues that nobody has made stay unmade. */
async function existing(broker: MessageBroker, request: ListenRequest): Promise<readonly string[]> {
  const found: string[] = [];
  const queues = sharedQueues(request);
  for (const queue of queues) if (await broker.inspectQueue(queue)) found.push(queue);
  if (found.length > 0) return found;
  throw new NobodyThere(`there is no queue to take from: none of ${queues.join(', ')}`);
}
