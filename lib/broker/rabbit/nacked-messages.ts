import type { PendingMessage } from './pending-message.js';
import { ReconnectPolicy } from './reconnect-policy.js';

/**
 * Messages that the broker refused to take charge of, until they are published again.
 *
 * RabbitMQ refuses what its queue cannot keep: for a moment while a quorum queue has no leader, but
 * then for good on each channel that asked the dead one first. They go out on a new channel.
 */
export class NackedMessages {
  private readonly policy = new ReconnectPolicy();
  private readonly held = new Set<PendingMessage>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly again: (messages: PendingMessage[]) => void) {}

  get size(): number {
    return this.held.size;
  }

  [Symbol.iterator](): IterableIterator<PendingMessage> {
    return this.held.values();
  }

  hold(pending: PendingMessage): void {
    this.held.add(pending);
    this.timer ??= setTimeout(() => this.again(this.clear()), this.policy.delayMs(pending.refusals));
    pending.refusals += 1;
  }

  delete(pending: PendingMessage): boolean {
    return this.held.delete(pending);
  }

  /** Takes all out, and ends the waiting. */
  clear(): PendingMessage[] {
    clearTimeout(this.timer);
    this.timer = undefined;
    const messages = [...this.held];
    this.held.clear();
    return messages;
  }
}
