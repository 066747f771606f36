import type { QueueDeclaration } from '../../wire/topology.js';
import type { QueueInspection } from '../broker.js';
import type { MemoryMessage, QueuedMessage } from './memory-message.js';
import { ReadyMessages } from './ready-messages.js';
import { longestTimerMs } from '../../events/longest-timer.js';

/** A consumer, as its queue knows it. */
export interface QueueConsumer {
  /** True when its prefetch lets it take one more. */
  readonly hasRoom: boolean;
  take(message: QueuedMessage): void;
  /** The queue is gone. */
  lost(): void;
}

/** A queue of the embedded bus. */
export class MemoryQueue {
  private readonly ready = new ReadyMessages();
  /** The next one to be served is first. */
  private readonly consumers: QueueConsumer[] = [];
  private nextPosition = 0;
  private expiry: NodeJS.Timeout | undefined;

  constructor(
    readonly declaration: QueueDeclaration,
    private readonly remove: (queue: MemoryQueue) => void,
    /** The connection of an exclusive queue. */
    readonly owner?: object,
  ) {
    this.renewLease();
  }

  get name(): string {
    return this.declaration.name;
  }

  /** Declaring and looking at an unused queue starts its `x-expires` anew; publishing to it does not. */
  renewLease(): void {
    clearTimeout(this.expiry);
    const expires = this.declaration.arguments['x-expires'];
    if (expires === undefined || this.consumers.length > 0) return;
    this.expiry = setTimeout(() => this.remove(this), Math.min(Number(expires), longestTimerMs));
    this.expiry.unref();
  }

  /** Those ready for delivery, the next one first. */
  get messages(): readonly MemoryMessage[] {
    this.dropExpired();
    return this.ready.toArray().map(({ message }) => message);
  }

  inspect(): QueueInspection {
    this.dropExpired();
    return { messages: this.ready.length, consumers: this.consumers.length };
  }

  push(message: MemoryMessage): void {
    const expiresAt = performance.now() + Number(message.expiration ?? Infinity);
    this.ready.push({ message, position: this.nextPosition++, expiresAt, redelivered: false });
    this.serve();
    this.dropExpired();
  }

  /** Gives messages back, each to the place it had. */
  putBack(messages: readonly QueuedMessage[]): void {
    for (const message of messages) message.redelivered = true;
    this.ready.putBack(messages);
    this.serve();
  }

  addConsumer(consumer: QueueConsumer): void {
    clearTimeout(this.expiry);
    this.consumers.push(consumer);
    this.serve();
  }

  removeConsumer(consumer: QueueConsumer): void {
    const index = this.consumers.indexOf(consumer);
    if (index === -1) return;
    this.consumers.splice(index, 1);
    if (this.consumers.length > 0) return;
    if (this.declaration.autoDelete) this.remove(this);
    else this.renewLease();
  }

  /** Hands out what is ready, consumer after consumer, as far as their prefetch allows. */
  serve(): void {
    while (this.ready.length > 0) {
      const index = this.consumers.findIndex((consumer) => consumer.hasRoom);
      if (index === -1) return;
      this.dropExpired();
      const message = this.ready.shift();
      if (!message) return;
      const [consumer] = this.consumers.splice(index, 1);
      this.consumers.push(consumer!);
      consumer!.take(message);
    }
  }

  /** The bus has forgotten the queue: its messages are gone and its consumers are told. */
  discard(): void {
    clearTimeout(this.expiry);
    for (const consumer of this.consumers.splice(0)) consumer.lost();
  }

  /** Only at the head, as RabbitMQ does it: what has expired behind a living message is still counted. */
  private dropExpired(): void {
    const now = performance.now();
    while (this.ready.first && this.ready.first.expiresAt <= now) this.ready.shift();
  }
}
