import type { EventChannel } from '../../events/event-channel.js';

/** Tells which queues of one request are not consumed, and when they are again. */
export class ConsumerLosses {
  private readonly lost = new Set<string>();
  private lastText: string | undefined;

  constructor(private readonly events: EventChannel) {}

  get areReported(): boolean {
    return this.lost.size > 0;
  }

  /** Each reason once, however often it is met. */
  report(queues: readonly string[], reason: string, error?: unknown): void {
    for (const queue of queues) this.lost.add(queue);
    const message = `Not consuming ${queues.join(', ')}: ${reason}`;
    if (message === this.lastText) return;
    this.lastText = message;
    this.events.emit({ type: 'consumers-lost', level: 'warn', message, queues, error });
  }

  restored(): void {
    this.lastText = undefined;
    if (this.lost.size === 0) return;
    const queues = [...this.lost];
    this.lost.clear();
    const message = `Consuming again: ${queues.join(', ')}`;
    this.events.emit({ type: 'consumers-restored', level: 'log', message, queues });
  }
}
