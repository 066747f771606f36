import { ConfigurationError } from '../../errors/configuration.errors.js';
import { notificationTopology, type Declaration, type Topology, type TopologyOptions } from '../../wire/topology.js';
import { ANY_EXCHANGE, type NotificationListenerEntry } from './notification-registration.js';

/** `control_exchange`'s default. */
const DEFAULT_EXCHANGE = 'openstack';

/** One queue that is consumed, once, whoever listens to it. */
export interface QueuePlan {
  readonly queue: string;
  readonly isPool: boolean;
  /** Its listeners, in the order of registration. */
  readonly entries: readonly NotificationListenerEntry[];
}

/**
 * One plan per queue: `<topic>.<priority>` for the listeners without a pool, and one per pool.
 *
 * @throws ConfigurationError a pool that is named like a queue that others share
 */
export function queuePlans(entries: readonly NotificationListenerEntry[]): QueuePlan[] {
  const plans = new Map<string, { queue: string; isPool: boolean; entries: NotificationListenerEntry[] }>();
  for (const entry of entries) {
    const isPool = entry.pool !== undefined;
    for (const queue of isPool ? [entry.pool] : entry.routingKeys) {
      const plan = plans.get(queue) ?? { queue, isPool, entries: [] };
      if (plan.isPool !== isPool) throw new ConfigurationError(`The pool '${queue}' is named like a queue`, queue);
      plan.entries.push(entry);
      plans.set(queue, plan);
    }
  }
  return [...plans.values()];
}

/**
 * Declared as Python does: exchange, queue, binding, for each exchange and routing key. Queue names carry no
 * exchange, so one queue may be bound to several.
 */
export function planTopology({ queue, isPool, entries }: QueuePlan, options: TopologyOptions): Topology {
  const declarations = new Map<string, Declaration>();
  for (const { exchange, topics, priorities } of entries) {
    for (const topic of topics) {
      for (const priority of priorities) {
        // Whatever else is bound to the queue was bound by those who notify.
        const bound = exchange === ANY_EXCHANGE ? DEFAULT_EXCHANGE : exchange;
        const topology = notificationTopology({ exchange: bound, topic, priority }, options);
        const isMine = isPool || topology.some((each) => each.kind === 'queue' && each.name === queue);
        if (isMine) for (const each of topology) declare(declarations, intoQueue(each, queue));
      }
    }
  }
  return [...declarations.values()];
}

function intoQueue(declaration: Declaration, queue: string): Declaration {
  switch (declaration.kind) {
    case 'exchange':
      return declaration;
    case 'queue':
      return { ...declaration, name: queue };
    case 'binding':
      return { ...declaration, queue };
  }
}

function declare(declarations: Map<string, Declaration>, declaration: Declaration): void {
  declarations.set(JSON.stringify(declaration), declaration);
}
