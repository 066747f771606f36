import type { Delivery } from '../../lib/broker/broker.js';

export interface LoggedDelivery {
  delivery: Delivery;
  text: string;
}

/** Keeps what is delivered until a test asks for it. */
export class DeliveryLog {
  /** How many came at a time. */
  readonly batches: number[] = [];
  private readonly logged: LoggedDelivery[] = [];
  private wake: (() => void) | undefined;

  add(deliveries: readonly Delivery[]): void {
    this.batches.push(deliveries.length);
    for (const delivery of deliveries) {
      this.logged.push({ delivery, text: new TextDecoder().decode(delivery.body) });
    }
    this.wake?.();
  }

  /** The next `count` deliveries, as soon as they are here. */
  async take(count: number): Promise<LoggedDelivery[]> {
    while (this.logged.length < count) await new Promise<void>((resolve) => (this.wake = resolve));
    return this.logged.splice(0, count);
  }

  async takeOne(): Promise<LoggedDelivery> {
    const [first] = await this.take(1);
    return first!;
  }

  async takeTexts(count: number): Promise<string[]> {
    return (await this.take(count)).map(({ text }) => text);
  }

  /** What is here and was not taken. */
  get texts(): string[] {
    return this.logged.map(({ text }) => text);
  }
}
