import type { QueueInspection } from '../broker.js';

/** Where the deliveries of a queue come in. */
export interface DeliverySource {
  /** Deliveries without a verdict: as many as the prefetch allows are a reason for silence. */
  readonly held: number;
  /** How many have come from a queue so far. */
  delivered(queue: string): number;
}

/**
 * Notices queues that have messages, and us as consumers, and give us none: the broker waits for
 * acknowledgements of what has never arrived, or has lost its half of the consumer.
 *
 * One look proves nothing, as messages are always on their way.
 */
export class SilentQueues {
  private readonly suspects = new Map<string, { source: DeliverySource; delivered: number }>();

  /** True when messages were waiting at this look and at the last, and none has come in between. */
  isSilent(queue: string, { messages }: QueueInspection, source: DeliverySource): boolean {
    const before = this.suspects.get(queue);
    const delivered = source.delivered(queue);
    if (messages === 0 || source.held > 0) {
      this.suspects.delete(queue);
      return false;
    }
    this.suspects.set(queue, { source, delivered });
    return before?.source === source && before.delivered === delivered;
  }
}
