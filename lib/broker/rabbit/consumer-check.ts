/** Whoever can ask the broker whether it still knows its consumers. */
export interface CheckedConsumer {
  /** Consumes again what the broker has forgotten. Rejects where the broker cannot be asked. */
  verify(): Promise<void>;
}

/**
 * Looks every so often whether the broker still knows the consumers that we think we have.
 *
 * AMQP stays healthy while a process is deaf: a cancellation can get lost, and a queue can come back after
 * a failover without its consumers.
 */
export class ConsumerCheck {
  private readonly timer: NodeJS.Timeout;
  private running = false;
  private ended = false;

  constructor(
    private readonly consumers: () => Iterable<CheckedConsumer>,
    intervalMs: number,
  ) {
    this.timer = setInterval(() => void this.round(), intervalMs);
    this.timer.unref();
  }

  end(): void {
    this.ended = true;
    clearInterval(this.timer);
  }

  /** One consumer after the other, and no round before the last has ended. */
  private async round(): Promise<void> {
    if (this.running) return;
    this.running = true;
    for (const consumer of this.consumers()) {
      if (this.ended) break;
      // A broker that cannot be asked has told so otherwise.
      await consumer.verify().catch(() => undefined);
    }
    this.running = false;
  }
}
