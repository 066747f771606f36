import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumeRequest } from '../broker.js';
import type { Line } from './line.js';
import type { QueueInspector } from './queue-inspector.js';

/** A connection that we gave up ends within this time, if the broker has heard of it at all. */
const graceMs = 100;

/**
 * Ends consumers that a lost connection has left behind, on queues that are ours alone; `ours`: how many are not.
 *
 * A connection that was given up for its silence may live on at the broker until its heartbeats fail, for minutes, and
 * goes on being served its share of the queue. Nothing but the end of the queue ends it; our consumer is told of that, and
 * declares the queue anew. A queue in which messages wait is left alone: they would go with it.
 */
export async function endGhosts(
  line: Line,
  queues: readonly string[],
  inspector: QueueInspector,
  ours = 1,
): Promise<void> {
  for (const queue of queues) {
    const seen = line.alive ? await inspector.inspect(line, queue) : undefined;
    if (seen && seen.consumers > ours && seen.messages === 0) {
      await line.spare.run(`delete queue '${queue}'`, (channel) => channel.deleteQueue(queue, { ifEmpty: true }));
    }
  }
}

/**
 * Our own queues whose consumers can be counted and which can be deleted if empty: not replicated ones. RabbitMQ tells of
 * a quorum queue's consumers some seconds late, and closes the connection over a deletion with a condition.
 */
export function withCountedConsumers({ own = [], topology }: Pick<ConsumeRequest, 'own' | 'topology'>): string[] {
  const isReplicated = (queue: string): boolean =>
    topology.some(
      (declared) => declared.kind === 'queue' && declared.name === queue && 'x-queue-type' in declared.arguments,
    );
  return own.filter((queue) => !isReplicated(queue));
}

/** The same before we consume: at first a consumer may only be late to go. */
export async function endGhostsFirst(line: Line, queues: readonly string[], inspector: QueueInspector): Promise<void> {
  for (const queue of queues) {
    const seen = await inspector.inspect(line, queue);
    if (!seen || seen.consumers === 0) continue;
    await delay(graceMs);
    await endGhosts(line, [queue], inspector, 0);
  }
}
