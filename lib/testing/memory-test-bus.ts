import { randomUUID } from 'node:crypto';
import type { MemoryBus } from '../broker/memory/memory-bus.js';
import { forgetBus, namedBus } from '../broker/memory/named-bus.js';
import type { QueueInspection } from '../broker/broker.js';
import { ConfigurationError } from '../errors/configuration.errors.js';
import { waitingMessageOf, type WaitingMessage } from './waiting-message.js';

/**
 * A queue as it is right now.
 *
 * @publicApi
 */
export interface TestQueue extends QueueInspection {
  name: string;
}

/**
 * A binding of a queue to an exchange.
 *
 * @publicApi
 */
export interface TestBinding {
  exchange: string;
  queue: string;
  routingKey: string;
}

/**
 * A bus inside the process for one test, with RabbitMQ's faults. Made by `createMemoryBus`.
 *
 * Each fault does to servers and clients what it does on RabbitMQ: they come back by themselves, keep what
 * they have to send, and report what happens to their `events`. Works with real timers and with fake ones.
 *
 * @publicApi
 */
export class MemoryTestBus {
  /** The transport URL of servers and clients that are to meet on it. */
  readonly url: string;
  private readonly bus: MemoryBus;

  constructor(private readonly name: string) {
    this.url = `memory://${name}`;
    this.bus = namedBus(name);
  }

  /**
   * Cuts every connection, as a broken network would. Clients and servers connect again after 50 ms;
   * what was not confirmed is published again, what was not acknowledged is delivered again.
   */
  dropConnection(): void {
    this.bus.interrupt();
  }

  /** Refuses new connections from now on; those that are up stay. */
  refuse(): void {
    this.bus.accepting = false;
  }

  /** Ends `refuse()`. Who is waiting connects at its next attempt, at most a second later. */
  accept(): void {
    this.bus.accepting = true;
  }

  /** Everything is under way for `ms` milliseconds, in each direction; with 0 what is under way arrives as well. */
  delay(ms: number): void {
    if (!(ms >= 0)) throw new ConfigurationError('A delay is a number of milliseconds, 0 or more', ms);
    this.bus.delayMs = ms;
  }

  /**
   * A memory alarm: nothing that is published is taken. As at RabbitMQ, a client learns of it with the next message
   * that it sends; its state is `blocked` then. Consuming goes on.
   */
  block(): void {
    this.bus.alarmed = true;
  }

  /** Ends `block()`: what was held back is taken. */
  unblock(): void {
    this.bus.alarmed = false;
  }

  /**
   * Cancels the consumers of a queue, the one way in which RabbitMQ does: the queue is lost with its messages, as
   * when somebody deletes it. Those who consumed it declare it anew. A queue that does not exist is fine.
   */
  cancelConsumer(queue: string): void {
    this.bus.deleteQueue(queue);
  }

  /** The queues, in the order in which they came. */
  get queues(): readonly TestQueue[] {
    return this.bus.queueStates;
  }

  /** Without those to the default exchange, which every queue has. */
  get bindings(): readonly TestBinding[] {
    return this.bus.bindings;
  }

  /** The messages that wait in a queue for delivery, the next one first; a queue that does not exist holds nothing. */
  messages(queue: string): readonly WaitingMessage[] {
    return this.bus.messagesIn(queue).map(waitingMessageOf);
  }

  /** Ends it all: clients and servers on it are disconnected for good, what they were waiting for rejects with `ClosedError`. Idempotent. */
  async close(): Promise<void> {
    forgetBus(this.name);
    await this.bus.close();
  }
}

/**
 * A bus of its own for one test.
 *
 * @example
 * ```ts
 * const bus = createMemoryBus();
 * const strategy = new ServerOsloRpc({ transportUrl: bus.url, topic: 'conductor' });
 * bus.dropConnection();
 * // …
 * await bus.close();
 * ```
 *
 * @publicApi
 */
export function createMemoryBus(): MemoryTestBus {
  return new MemoryTestBus(`test-${randomUUID()}`);
}
