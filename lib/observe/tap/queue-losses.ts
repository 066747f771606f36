import { counted } from '../../errors/counted.js';
import type { Delivery, MessageBroker } from '../../broker/broker.js';
import { isNearlyFull } from './tap-queue.js';

const LOOK_EVERY_MS = 1_000;

/** Counts of what queues of our own have lost, as far as it can be known. */
export interface LossCounters {
  /** At least so many were dropped by the broker: as often as our queue was seen full. */
  readonly droppedAtLeast: number;
  /** As often was the connection lost: what passed until it was back is not seen. */
  readonly interruptions: number;
}

/**
 * Watches queues of our own that drop the oldest messages when they are full, which the broker tells nobody. It looks every second;
 * after a time in which our process stood still, before it takes what has come meanwhile.
 */
export class QueueLosses implements LossCounters {
  droppedAtLeast = 0;
  interruptions = 0;
  private readonly sizes = { bodies: 0, bytes: 0 };
  private readonly timer: NodeJS.Timeout;
  private readonly unwatch: () => void;

  /** `lost` is told of each loss. */
  constructor(
    private readonly broker: MessageBroker,
    private readonly queues: () => readonly string[],
    private readonly lost: () => void = () => undefined,
  ) {
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.timer.unref();
    this.unwatch = broker.events.watch((event) => {
      if (event.type !== 'connection-changed' || event.connection !== 'consume') return;
      if (event.to !== 'disconnected' || event.from === 'connecting') return;
      this.interruptions += 1;
      this.lost();
    });
  }

  /** Messages of a kind, which those that wait are like. */
  took({ body }: Pick<Delivery, 'body'>): void {
    this.sizes.bodies += 1;
    this.sizes.bytes += body.byteLength;
  }

  close(): void {
    clearInterval(this.timer);
    this.unwatch();
  }

  private async look(): Promise<void> {
    const { bodies, bytes } = this.sizes;
    for (const queue of this.queues()) {
      // Without a connection there is no queue: that is counted as an interruption.
      const seen = await this.broker.inspectQueue(queue).catch(() => undefined);
      if (!seen || !isNearlyFull(seen.messages, bodies === 0 ? 0 : bytes / bodies)) continue;
      this.droppedAtLeast += 1;
      this.lost();
    }
  }
}

/** Losses, for people. */
export function lossTexts({ droppedAtLeast, interruptions }: LossCounters): string[] {
  return [
    ...(droppedAtLeast > 0 ? [`at least ${droppedAtLeast} dropped by the broker, as we were too slow`] : []),
    ...(interruptions > 0
      ? [`connection lost ${counted(interruptions, 'time')}: what passed meanwhile was not seen`]
      : []),
  ];
}
