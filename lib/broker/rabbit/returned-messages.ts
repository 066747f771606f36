import type { PendingMessage } from './pending-message.js';

/** What identifies a returned message: the broker says nothing else about it. */
export interface ReturnedMessage {
  exchange: string;
  routingKey: string;
  content: Buffer;
}

/**
 * Finds which message a `basic.return` is about. We put no id on the wire that Python does not;
 * returns come in the order of publishing, so it is the oldest with the same bytes.
 */
export class ReturnedMessages {
  private readonly mandatory = new Set<PendingMessage>();

  written(pending: PendingMessage): void {
    if (pending.mandatory) this.mandatory.add(pending);
  }

  settled(pending: PendingMessage): void {
    if (pending.mandatory) this.mandatory.delete(pending);
  }

  match(returned: ReturnedMessage): PendingMessage | undefined {
    for (const pending of this.mandatory) {
      const { exchange, routingKey } = pending.message;
      if (exchange !== returned.exchange || routingKey !== returned.routingKey) continue;
      if (pending.content.equals(returned.content)) return pending;
    }
    return undefined;
  }
}
