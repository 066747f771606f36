import { Backoff } from '../connection/backoff.js';
import { type PendingMessage, Waiting } from './pending-message.js';

/** Messages that wait to be written, first in first out; those that go again go to the front. */
export class MessageQueue extends Waiting {
  readonly name = 'queued';

  /** In their order, before all others. */
  putBack(messages: readonly PendingMessage[]): void {
    if (messages.length === 0) return;
    const others = [...this.waiting];
    for (const pending of messages) pending.move(this);
    this.waiting = new Set([...messages, ...others]);
  }
}

/**
 * Messages that the broker refused to take charge of, until they are published again, together.
 *
 * RabbitMQ refuses what its queue cannot keep: for a moment while a quorum queue has no leader, but
 * then for good on each channel that asked the dead one first. They go out on a new channel.
 */
export class NackedMessages extends Waiting {
  readonly name = 'backingOff';
  private readonly backoff = new Backoff();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly publishAgain: (messages: PendingMessage[]) => void) {
    super();
  }

  override entered(pending: PendingMessage): void {
    super.entered(pending);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.publishAgain([...this.waiting]);
    }, this.backoff.delayMs(pending.nacks));
    pending.nacks += 1;
  }

  close(): void {
    clearTimeout(this.timer);
  }
}
