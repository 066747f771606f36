import type { Delivery } from '../../broker/broker.js';
import { textWithCause } from '../../errors/text-of.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { EventLevel, NotificationDropped } from '../../events/messaging-event.js';
import { shown } from '../../wire/shown.js';
import type { HeldNotification } from './held-notification.js';

/** Says what becomes of the notifications of a listener. */
export class NotificationReports {
  constructor(private readonly events: EventChannel) {}

  rejected({ queue }: Delivery, error: unknown): void {
    const message = `Rejected a message of ${queue}: ${textWithCause(error)}`;
    this.events.emit({ type: 'message-rejected', level: 'error', message, queue, error });
  }

  dropped(held: HeldNotification, reason: NotificationDropped['reason'], level: EventLevel, why: string): void {
    const message = `Acknowledged ${describe(held)}: ${why}`;
    this.events.emit({ type: 'notification-dropped', level, reason, message, ...factsOf(held) });
  }

  requeued(held: HeldNotification, attempts: number): void {
    const message = `Requeued ${describe(held)}, for the ${attempts}. time: ${failuresOf(held)}`;
    this.events.emit({ type: 'notification-requeued', level: 'debug', message, attempts, ...factsOf(held) });
  }

  deadLettered(held: HeldNotification, taken: boolean): void {
    const { attempts } = held;
    const what = taken ? 'Dead-lettered' : 'Gave up';
    const message = `${what} ${describe(held)}, requeued ${attempts} times: ${failuresOf(held)}`;
    const level = taken ? 'warn' : 'error';
    this.events.emit({ type: 'notification-dead-lettered', level, message, taken, attempts, ...factsOf(held) });
  }

  behind(queue: string, behind: boolean, held: number, listeners: readonly string[]): void {
    const message = behind
      ? `The listeners of ${queue} do not keep up: ${held} notifications wait here for ${listeners.join(', ')}, the rest at the broker`
      : `The listeners of ${queue} have caught up`;
    const level = behind ? 'warn' : 'log';
    this.events.emit({ type: 'listeners-behind', level, message, queue, behind, held, listeners });
  }

  deadLetterHookFailed(held: HeldNotification, error: unknown): void {
    const message = `onDeadLetter failed at ${describe(held)}, it is requeued: ${shown(textWithCause(error), 1000)}`;
    const method = 'onDeadLetter';
    const facts = { method, expected: false, isCall: false };
    this.events.emit({ type: 'handler-failed', level: 'error', message, error, ...facts });
  }
}

/** The listeners that failed, with their errors. */
export function failuresOf({ failures }: HeldNotification): string {
  return failures
    .map(
      ({ entry, error }) => `${entry.name} ${error === undefined ? 'asked for it' : shown(textWithCause(error), 1000)}`,
    )
    .join('; ');
}

function describe({ received, delivery }: HeldNotification): string {
  return `the notification ${shown(received.eventType)} of ${delivery.queue} (message ${shown(received.messageId)})`;
}

function factsOf({ received, delivery }: HeldNotification): { queue: string; eventType?: string; messageId?: string } {
  return { queue: delivery.queue, eventType: received.eventType, messageId: received.messageId };
}
