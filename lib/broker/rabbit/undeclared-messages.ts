import type { Topology } from '../../wire/topology.js';
import { declarePatiently } from './declare-patiently.js';
import type { Line } from './line.js';
import type { PendingMessage } from './pending-message.js';

/** What becomes of messages whose topology was to be declared. `error`: it could not be. */
export type AfterDeclaring = (line: Line, messages: PendingMessage[], error?: unknown) => void;

/** Messages that wait until their topology is declared, each topology for itself: one that hangs holds up others no longer than it is awaited. */
export class UndeclaredMessages {
  private readonly held = new Map<Topology, Set<PendingMessage>>();

  constructor(private readonly outcome: AfterDeclaring) {}

  get size(): number {
    let size = 0;
    for (const waiting of this.held.values()) size += waiting.size;
    return size;
  }

  *[Symbol.iterator](): IterableIterator<PendingMessage> {
    for (const waiting of this.held.values()) yield* waiting;
  }

  /** Declares with the first of them. */
  hold(line: Line, topology: Topology, pending: PendingMessage): void {
    const waiting = this.held.get(topology);
    if (waiting) {
      waiting.add(pending);
      return;
    }
    this.held.set(topology, new Set([pending]));
    const declared = declarePatiently(line, topology);
    declared.then(
      () => this.outcome(line, this.takeOut(topology)),
      (error: unknown) => this.outcome(line, this.takeOut(topology), error),
    );
  }

  delete(pending: PendingMessage): boolean {
    const { topology } = pending.message;
    return (topology && this.held.get(topology)?.delete(pending)) ?? false;
  }

  clear(): PendingMessage[] {
    return [...this.held.keys()].flatMap((topology) => this.takeOut(topology));
  }

  private takeOut(topology: Topology): PendingMessage[] {
    const waiting = [...(this.held.get(topology) ?? [])];
    this.held.delete(topology);
    return waiting;
  }
}
