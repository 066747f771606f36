import { weightOf } from './fair-shares.js';
import type { PendingMessage } from './pending-message.js';

/** A caller that asks more rarely has nothing kept for it. */
const keptMs = 5_000;

export interface UnprovenMessage {
  readonly pending: PendingMessage;
  /** On the clock of `performance.now()`. */
  readonly confirmedAt: number;
}

/** Where the messages of one route are kept, in the order of their confirms. */
interface Kept {
  readonly unproven: UnprovenMessage[];
}

/**
 * Answers that the broker has confirmed and may have lost all the same: what a queue that is being deleted has not
 * taken yet, RabbitMQ confirms when the queue is gone. Once it is gone every later answer is returned; so one that was
 * published after a confirm, and was taken, proves what was confirmed.
 */
export class UnprovenMessages {
  /** Those with such messages, in the order in which they give way. */
  private readonly routes = new Set<Kept>();
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  confirmed(route: Kept, pending: PendingMessage): void {
    const { unproven } = route;
    while (unproven.length > 0 && unproven[0]!.confirmedAt < pending.since) this.forgetFirst(route);
    unproven.push({ pending, confirmedAt: performance.now() });
    this.bytes += weightOf(pending);
    this.routes.add(route);
    while (this.bytes > this.maxBytes) this.giveWay();
  }

  /** The queue is gone: takes out what may have been lost with it. */
  take(route: Kept): PendingMessage[] {
    const earliest = performance.now() - keptMs;
    const lost = route.unproven.filter(({ confirmedAt }) => confirmedAt >= earliest);
    while (route.unproven.length > 0) this.forgetFirst(route);
    this.routes.delete(route);
    return lost.map(({ pending }) => pending);
  }

  /** One message of each route in turn. */
  private giveWay(): void {
    const [route] = this.routes;
    this.forgetFirst(route!);
    this.routes.delete(route!);
    if (route!.unproven.length > 0) this.routes.add(route!);
  }

  private forgetFirst({ unproven }: Kept): void {
    this.bytes -= weightOf(unproven.shift()!.pending);
  }
}
