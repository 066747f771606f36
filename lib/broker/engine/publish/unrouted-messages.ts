import type { EventChannel } from '../../../events/event-channel.js';
import { MessageUndeliverable } from '../../../errors/delivery.errors.js';
import type { PendingMessage, Place } from './pending-message.js';

/** Longest time that a message without a deadline waits. */
const longestWaitMs = 5_000;
const probeEveryMs = 100;
const rememberedRoutes = 1_000;

/** A route whose queue is missing, with the messages that wait for it, the oldest first. */
class MissingQueue implements Place {
  readonly name = 'unrouted';
  readonly messages = new Set<PendingMessage>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    readonly route: string,
    private readonly probe: (queue: MissingQueue) => void,
  ) {}

  entered(pending: PendingMessage): void {
    this.messages.add(pending);
    this.probeLater();
  }

  probeLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.probe(this);
    }, probeEveryMs);
  }

  left(pending: PendingMessage): void {
    this.messages.delete(pending);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

/**
 * Messages that no queue took, though one did before: a broker that was restarted, or a deleted queue, gets its queues
 * back from their consumers, a moment later than publishers are there again.
 *
 * However many wait, one per route and interval asks; when it is taken the others follow.
 */
export class UnroutedMessages {
  /** Routes that have taken such messages. */
  private readonly known = new Set<string>();
  private readonly missing = new Map<string, MissingQueue>();

  constructor(
    private readonly publishAgain: (messages: PendingMessage[]) => void,
    private readonly events: EventChannel,
  ) {}

  /** A queue has taken it. */
  routed(pending: PendingMessage): void {
    if (!pending.message.awaitQueue) return;
    const route = routeOf(pending);
    this.remember(route);
    const queue = this.missing.get(route);
    if (!queue) return;
    this.forget(queue);
    this.publishAgain([...queue.messages]);
  }

  /** No queue has taken it. */
  unrouted(pending: PendingMessage): void {
    const { awaitQueue, exchange, mandatory, routingKey } = pending.message;
    if (mandatory) return pending.reject(new MessageUndeliverable(exchange, routingKey));
    const route = routeOf(pending);
    const now = performance.now();
    // None has ever taken such a message: dropped, as the broker drops it.
    if (!awaitQueue || !this.known.has(route))
      return pending.deadline <= now ? pending.timeOut(now) : pending.resolve();
    pending.awaitQueueUntil ??= pending.deadline === Infinity ? now + longestWaitMs : pending.deadline;
    if (pending.awaitQueueUntil > now) pending.move(this.queueOf(route));
    else this.failed(pending, now);
  }

  close(): void {
    for (const queue of this.missing.values()) queue.end();
    this.missing.clear();
  }

  private queueOf(route: string): MissingQueue {
    let queue = this.missing.get(route);
    if (!queue) this.missing.set(route, (queue = new MissingQueue(route, (due) => this.probe(due))));
    return queue;
  }

  private probe(queue: MissingQueue): void {
    const now = performance.now();
    for (const pending of queue.messages) if (pending.awaitQueueUntil! <= now) this.failed(pending, now);
    const [first] = queue.messages;
    if (!first) return this.forget(queue);
    this.publishAgain([first]);
    queue.probeLater();
  }

  /** Its queue, which was there once, was awaited in vain. */
  private failed(pending: PendingMessage, now: number): void {
    if (pending.deadline <= now) return pending.timeOut(now);
    const { exchange, routingKey } = pending.message;
    const message = `No queue takes a message any more: exchange '${exchange}', routing key '${routingKey}'`;
    this.events.emit({ type: 'message-unrouted', level: 'warn', message, exchange, routingKey });
    pending.reject(new MessageUndeliverable(exchange, routingKey));
  }

  private forget(queue: MissingQueue): void {
    queue.end();
    this.missing.delete(queue.route);
  }

  private remember(route: string): void {
    if (this.known.has(route)) return;
    this.known.add(route);
    if (this.known.size > rememberedRoutes) this.known.delete(this.known.keys().next().value!);
  }
}

function routeOf({ message: { exchange, routingKey } }: PendingMessage): string {
  return `${exchange}\0${routingKey}`;
}
