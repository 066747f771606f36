import type { Delivery } from '../../broker/broker.js';
import type { ReceivedNotification } from '../../wire/notification.js';
import type { IncomingNotification } from './incoming-notification.js';
import type { NotificationListenerEntry } from './notification-registration.js';

/** How a listener ended with a notification. */
export interface ListenerOutcome {
  readonly requeue: boolean;
  readonly error?: unknown;
}

/** A notification on its way through the listeners of its queue, not yet acknowledged. */
export interface HeldNotification {
  readonly delivery: Delivery;
  readonly received: ReceivedNotification;
  /** Recognises it when it comes again. */
  readonly id: string;
  /** True when the sender gave it that id, so that only a true duplicate has the same. */
  readonly hasOwnId: boolean;
  /** How often it has gone back to its queue from this process. */
  attempts: number;
  /** On the clock of `performance.now()`: when it went back first. */
  since: number | undefined;
  /** Tried again earlier than it should be. */
  hurried: boolean;
  /** Listeners that have to run, in the order of registration, and how many of them have had their turn. */
  todo: readonly NotificationListenerEntry[];
  turnsTaken: number;
  /** Listeners that have run, now or on an earlier delivery, and need not run again. */
  readonly finished: Set<NotificationListenerEntry>;
  /** Listeners that failed or asked for a requeue. */
  readonly failures: { entry: NotificationListenerEntry; error?: unknown }[];
  /** Turns that are taken and not ended. */
  running: number;
  /** Some listener has begun, or collects it. */
  started: boolean;
  /** Its delivery is no longer ours; it comes again. */
  gone: boolean;
}

/** One notification as it is given to one listener, and what becomes of it there. */
export interface ListenerTurn {
  readonly held: HeldNotification;
  readonly entry: NotificationListenerEntry;
  readonly notification: IncomingNotification;
  ended(outcome: ListenerOutcome): void;
}
