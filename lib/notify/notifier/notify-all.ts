import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { isUnconfirmed, OsloMessagingError } from '../../errors/oslo-messaging.error.js';
import { textOf } from '../../errors/text-of.js';
import type { Notification } from '../../wire/notification.js';
import type { NotificationDriver, NotifyLimits } from '../drivers/notification-driver.js';
import { started } from '../../events/started.js';

/**
 * Gives a notification to drivers in turn, and keeps nothing of it; one that fails stops no other.
 *
 * @throws what the one driver that failed threw, or the first where all that failed say that it is the caller's
 * move; else MessageDeliveryFailure, their errors in an AggregateError as its cause
 */
export function notifyAll(
  drivers: readonly NotificationDriver[],
  notification: Notification,
  limits: NotifyLimits,
): Promise<void> {
  return allEnded(drivers.map((driver) => started(() => driver.notify(notification, limits))));
}

async function allEnded(driven: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(driven);
  const errors = outcomes.flatMap((outcome): unknown[] => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (errors.length === 0) return;
  const unconfirmed = errors.find(isUnconfirmed);
  if (errors.length === 1 || errors.every(isCallersFault)) throw unconfirmed ?? errors[0];
  const text = `${errors.length} of ${driven.length} drivers failed: ${errors.map(textOf).join('; ')}`;
  throw new MessageDeliveryFailure(text, {
    cause: new AggregateError(errors, text),
    unconfirmed: unconfirmed !== undefined,
  });
}

function isCallersFault(error: unknown): boolean {
  return error instanceof OsloMessagingError && error.fault === 'caller';
}
