import { Backoff } from '../connection/backoff.js';
import type { PendingMessage, Place } from './pending-message.js';

/** Messages that wait to be written, first in first out; those that go again go to the front. */
export class MessageQueue implements Place {
  readonly name = 'queued';
  private messages = new Set<PendingMessage>();

  get isEmpty(): boolean {
    return this.messages.size === 0;
  }

  [Symbol.iterator](): IterableIterator<PendingMessage> {
    return this.messages.values();
  }

  entered(pending: PendingMessage): void {
    this.messages.add(pending);
  }

  left(pending: PendingMessage): void {
    this.messages.delete(pending);
  }

  /** In their order, before all others. */
  putBack(messages: readonly PendingMessage[]): void {
    if (messages.length === 0) return;
    const others = [...this.messages];
    for (const pending of messages) pending.move(this);
    this.messages = new Set([...messages, ...others]);
  }
}

/**
 * Messages that the broker refused to take charge of, until they are published again, together.
 *
 * RabbitMQ refuses what its queue cannot keep: for a moment while a quorum queue has no leader, but
 * then for good on each channel that asked the dead one first. They go out on a new channel.
 */
export class NackedMessages implements Place {
  readonly name = 'backingOff';
  private readonly backoff = new Backoff();
  private readonly messages = new Set<PendingMessage>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly publishAgain: (messages: PendingMessage[]) => void) {}

  entered(pending: PendingMessage): void {
    this.messages.add(pending);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.publishAgain([...this.messages]);
    }, this.backoff.delayMs(pending.nacks));
    pending.nacks += 1;
  }

  left(pending: PendingMessage): void {
    this.messages.delete(pending);
  }

  close(): void {
    clearTimeout(this.timer);
  }
}
