import type { HeldNotification } from './held-notification.js';
import { ANY_EXCHANGE, type NotificationListenerEntry } from './notification-registration.js';
import type { QueuePlan } from './queue-plan.js';

/** Finds the listeners of a queue that take a notification. */
export class EntryMatcher {
  private readonly exchanges: ReadonlySet<string>;
  private readonly routingKeys: ReadonlySet<string>;

  constructor(private readonly plan: QueuePlan) {
    this.exchanges = new Set(plan.entries.map(({ exchange }) => exchange));
    this.routingKeys = new Set(plan.entries.flatMap((entry) => [...entry.routingKeys]));
  }

  /** In the order of registration. */
  takersOf(held: HeldNotification): NotificationListenerEntry[] {
    return this.plan.entries.filter((entry) => this.isAddressed(entry, held) && takes(entry, held));
  }

  /** Queues are shared across exchanges: this came from one that no listener of ours names. */
  isForeign({ delivery }: HeldNotification): boolean {
    if (delivery.exchange === '' || this.exchanges.has(ANY_EXCHANGE)) return false;
    return !this.exchanges.has(delivery.exchange);
  }

  /** A message that was put straight into the queue, or came by somebody else's key, is for everybody. */
  private isAddressed(entry: NotificationListenerEntry, { delivery }: HeldNotification): boolean {
    const { exchange, routingKey } = delivery;
    if (exchange !== '' && exchange !== entry.exchange && entry.exchange !== ANY_EXCHANGE) return false;
    return entry.routingKeys.has(routingKey) || !this.routingKeys.has(routingKey);
  }
}

function takes(entry: NotificationListenerEntry, { received }: HeldNotification): boolean {
  const { priority, eventType, publisherId, context, payload, messageId, timestamp } = received;
  if (!entry.priorities.has(priority)) return false;
  const metadata = { message_id: messageId, timestamp };
  return entry.filter.matches({ eventType, publisherId, context, metadata, payload });
}
