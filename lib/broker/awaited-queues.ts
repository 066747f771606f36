import type { OutgoingMessage } from './broker.js';

/** A message that waits for its queue. */
export interface AwaitingMessage {
  readonly message: OutgoingMessage;
  /** On the clock of `performance.now()`; `Infinity`: none. */
  readonly deadline: number;
  /** On the same clock: until then a queue is awaited that was there before. */
  awaitQueueUntil: number | undefined;
}

/** Longest time that a message without a deadline waits. */
const patienceMs = 5_000;
const probeEveryMs = 100;
const rememberedRoutes = 1_000;

/**
 * Messages that no queue took, though one did before: a broker that was restarted, or a deleted queue,
 * gets its queues back from their consumers, a moment later than publishers are there again.
 *
 * However many wait, one per route and interval asks; when it is taken the others follow.
 */
export class AwaitedQueues<Message extends AwaitingMessage> {
  private readonly known = new Set<string>();
  private readonly held = new Map<string, Set<Message>>();
  private readonly probes = new Map<string, NodeJS.Timeout>();

  /** `inVain`: told of those whose queue has not come back in time. */
  constructor(
    private readonly again: (messages: Message[]) => void,
    private readonly inVain: (message: Message) => void,
  ) {}

  get size(): number {
    let size = 0;
    for (const waiting of this.held.values()) size += waiting.size;
    return size;
  }

  *[Symbol.iterator](): IterableIterator<Message> {
    for (const waiting of this.held.values()) yield* waiting;
  }

  /** A queue has taken it. */
  taken(pending: Message): void {
    if (!pending.message.awaitQueue) return;
    const route = routeOf(pending);
    this.remember(route);
    if (this.held.has(route)) this.again(this.takeOut(route));
  }

  /** No queue has taken it; false where none was ever seen. */
  hold(pending: Message): boolean {
    const route = routeOf(pending);
    const now = performance.now();
    if (pending.message.mandatory || !this.known.has(route)) return false;
    pending.awaitQueueUntil ??= Math.min(pending.deadline, now + this.patienceFor(pending));
    if (pending.awaitQueueUntil > now) this.keep(route, pending);
    else this.inVain(pending);
    return true;
  }

  private keep(route: string, pending: Message): void {
    const waiting = this.held.get(route);
    if (waiting) waiting.add(pending);
    else this.held.set(route, new Set([pending]));
    if (!this.probes.has(route))
      this.probes.set(
        route,
        setTimeout(() => this.probe(route), probeEveryMs),
      );
  }

  delete(pending: Message): boolean {
    return this.held.get(routeOf(pending))?.delete(pending) ?? false;
  }

  /** Takes all out, and ends the waiting. */
  clear(): Message[] {
    return [...this.held.keys()].flatMap((route) => this.takeOut(route));
  }

  private patienceFor({ deadline }: Message): number {
    return deadline === Infinity ? patienceMs : Infinity;
  }

  private probe(route: string): void {
    this.probes.delete(route);
    const waiting = this.held.get(route) ?? new Set();
    this.giveUpOverdue(waiting);
    const [first] = waiting;
    if (!first) return void this.held.delete(route);
    waiting.delete(first);
    this.probes.set(
      route,
      setTimeout(() => this.probe(route), probeEveryMs),
    );
    this.again([first]);
  }

  private giveUpOverdue(waiting: Set<Message>): void {
    const now = performance.now();
    for (const pending of waiting) {
      if (pending.awaitQueueUntil! > now) continue;
      waiting.delete(pending);
      this.inVain(pending);
    }
  }

  private takeOut(route: string): Message[] {
    clearTimeout(this.probes.get(route));
    this.probes.delete(route);
    const waiting = [...(this.held.get(route) ?? [])];
    this.held.delete(route);
    return waiting;
  }

  private remember(route: string): void {
    if (this.known.has(route)) return;
    this.known.add(route);
    if (this.known.size > rememberedRoutes) this.known.delete(this.known.keys().next().value!);
  }
}

function routeOf({ message: { exchange, routingKey } }: AwaitingMessage): string {
  return `${exchange}\0${routingKey}`;
}
