import type { ExchangeDeclaration } from '../../wire/topology.js';
import type { MemoryQueue } from './memory-queue.js';
import { RoutingPattern } from './routing-pattern.js';

interface PatternBinding {
  readonly routingKey: string;
  readonly pattern: RoutingPattern;
  readonly queue: MemoryQueue;
}

/** An exchange of the embedded bus: finds the queues for a routing key. */
export class MemoryExchange {
  /** By routing key, for the keys that are matched as they are. */
  private readonly exact = new Map<string, Set<MemoryQueue>>();
  /** By routing key and queue name. */
  private readonly patterns = new Map<string, PatternBinding>();

  constructor(readonly declaration: ExchangeDeclaration) {}

  /** Binding the same twice makes no difference. */
  bind(queue: MemoryQueue, routingKey: string): void {
    const pattern = new RoutingPattern(routingKey);
    if (this.declaration.type === 'topic' && pattern.hasWildcards) {
      this.patterns.set(JSON.stringify([routingKey, queue.name]), { routingKey, pattern, queue });
      return;
    }
    const bound = this.exact.get(routingKey);
    if (bound) bound.add(queue);
    else this.exact.set(routingKey, new Set([queue]));
  }

  /** Queue names with the routing keys that they are bound by. */
  get bindings(): { queue: string; routingKey: string }[] {
    const exact = [...this.exact].flatMap(([routingKey, queues]) =>
      [...queues].map(({ name }) => ({ queue: name, routingKey })),
    );
    const patterns = [...this.patterns.values()].map(({ queue, routingKey }) => ({ queue: queue.name, routingKey }));
    return [...exact, ...patterns];
  }

  /** Each queue once, however many of its bindings match. */
  route(routingKey: string): ReadonlySet<MemoryQueue> {
    if (this.declaration.type === 'fanout') return this.boundQueues();
    const matched = this.exact.get(routingKey);
    if (this.patterns.size === 0) return matched ?? new Set();
    const queues = new Set(matched);
    for (const { pattern, queue } of this.patterns.values()) {
      if (!queues.has(queue) && pattern.matches(routingKey)) queues.add(queue);
    }
    return queues;
  }

  /** True when this took the exchange's last binding, with which an auto-delete exchange goes too. */
  unbind(queue: MemoryQueue): boolean {
    if (this.isUnbound()) return false;
    for (const [routingKey, queues] of this.exact) {
      if (queues.delete(queue) && queues.size === 0) this.exact.delete(routingKey);
    }
    for (const [key, binding] of this.patterns) {
      if (binding.queue === queue) this.patterns.delete(key);
    }
    return this.isUnbound();
  }

  private isUnbound(): boolean {
    return this.exact.size === 0 && this.patterns.size === 0;
  }

  private boundQueues(): ReadonlySet<MemoryQueue> {
    return new Set([...this.exact.values()].flatMap((queues) => [...queues]));
  }
}
