import type { Topology } from '../../../wire/topology.js';
import type { StreamOffset } from '../../link.js';

/** How far the streams of one request are read, so that the next consumer goes on there. */
export class StreamOffsets {
  private readonly streams: ReadonlySet<string>;
  private readonly offsets = new Map<string, number>();

  constructor(topology: Topology) {
    const streams = topology.flatMap((one) =>
      one.kind === 'queue' && one.arguments['x-queue-type'] === 'stream' ? [one.name] : [],
    );
    this.streams = new Set(streams);
  }

  isStream(queue: string): boolean {
    return this.streams.has(queue);
  }

  read(queue: string, offset: number): void {
    this.offsets.set(queue, Math.max(offset, this.offsets.get(queue) ?? 0));
  }

  /** Where to begin; undefined: it is no stream. */
  next(queue: string): StreamOffset | undefined {
    if (!this.isStream(queue)) return undefined;
    const last = this.offsets.get(queue);
    return last === undefined ? 'last' : last + 1;
  }

  /** Somebody has deleted it: another one begins anew. */
  forget(queue: string): void {
    this.offsets.delete(queue);
  }
}
