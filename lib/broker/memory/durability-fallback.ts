import type { Declaration, QueueDeclaration, Topology } from '../../wire/topology.js';

/** Whether an exchange or queue exists, and is not durable. */
export type IsTransient = (kind: 'exchange' | 'queue', name: string) => boolean;

/**
 * What is declared where durable is asked for and a peer with other options was there first.
 *
 * As `_declare_fallback_nondurable` in Python: what is not durable is taken as it is, and queues of
 * such an exchange are not durable either. The other way round stays an error.
 */
export function withDurabilityFallback(topology: Topology, isTransient: IsTransient, wanted: Declaration): Declaration {
  if (wanted.kind === 'binding' || !wanted.durable) return wanted;
  const fallback =
    isTransient(wanted.kind, wanted.name) || (wanted.kind === 'queue' && bound(topology, isTransient, wanted));
  return fallback ? { ...wanted, durable: false } : wanted;
}

function bound(topology: Topology, isTransient: IsTransient, queue: QueueDeclaration): boolean {
  // Quorum queues and streams are durable by nature.
  if (queue.arguments['x-queue-type'] !== undefined) return false;
  return topology.some(
    (other) => other.kind === 'binding' && other.queue === queue.name && isTransient('exchange', other.exchange),
  );
}
