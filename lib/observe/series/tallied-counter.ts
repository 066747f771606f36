import { Counter, type Registry } from 'prom-client';
import type { Labels } from './bounded-labels.js';

/** One count of a source, as it is right now. */
export interface Count<Name extends string> {
  readonly labels: Labels<Name>;
  readonly value: number;
}

interface Source<Name extends string> {
  users: number;
  read(): readonly Count<Name>[];
}

/**
 * A counter that reads the counters of what lives, and remembers those of what has been closed: it never goes back. One
 * source may have several users.
 */
export class TalliedCounter<Name extends string> {
  private readonly sources = new Map<object, Source<Name>>();
  private readonly remembered = new Map<string, Count<Name>>();

  constructor(name: string, help: string, labelNames: readonly Name[], registry: Registry) {
    const counts = (): Iterable<Count<Name>> => this.counts();
    const counter = new Counter({
      name,
      help,
      labelNames,
      registers: [],
      collect() {
        this.reset();
        for (const { labels, value } of counts()) this.inc(labels, value);
      },
    });
    registry.registerMetric(counter);
  }

  /** The returned function takes the source away. */
  add(source: object, read: () => readonly Count<Name>[]): () => void {
    const known = this.sources.get(source) ?? { users: 0, read };
    known.users += 1;
    this.sources.set(source, known);
    return () => {
      known.users -= 1;
      if (known.users > 0) return;
      this.sources.delete(source);
      for (const { labels, value } of read()) this.inc(labels, value);
    };
  }

  inc(labels: Labels<Name>, by = 1): void {
    const key = JSON.stringify(labels);
    this.remembered.set(key, { labels, value: (this.remembered.get(key)?.value ?? 0) + by });
  }

  private *counts(): Iterable<Count<Name>> {
    yield* this.remembered.values();
    for (const { read } of this.sources.values()) yield* read();
  }
}
