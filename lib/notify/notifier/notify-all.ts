import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { isUnconfirmed, OsloMessagingError } from '../../errors/oslo-messaging.error.js';
import { textOf } from '../../errors/text-of.js';
import type { Notification } from '../../wire/notification.js';
import type { NotificationDriver, NotifyLimits } from '../drivers/notification-driver.js';

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
  const [only] = drivers;
  if (drivers.length === 1) return driven(only!, notification, limits);
  return allEnded(drivers.map((driver) => driven(driver, notification, limits)));
}

/** A driver of the user's own may throw, or return nothing. */
function driven(driver: NotificationDriver, notification: Notification, limits: NotifyLimits): Promise<void> {
  try {
    return Promise.resolve(driver.notify(notification, limits));
  } catch (error) {
    return Promise.reject(error);
  }
}

async function allEnded(all: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(all);
  const errors = outcomes.flatMap((outcome): unknown[] => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (errors.length === 0) return;
  const unconfirmed = errors.find(isUnconfirmed);
  if (errors.length === 1 || errors.every(isCallersFault)) throw unconfirmed ?? errors[0];
  const text = `${errors.length} of ${all.length} drivers failed: ${errors.map(textOf).join('; ')}`;
  throw new MessageDeliveryFailure(text, {
    cause: new AggregateError(errors, text),
    unconfirmed: unconfirmed !== undefined,
  });
}

function isCallersFault(error: unknown): boolean {
  return error instanceof OsloMessagingError && error.fault === 'caller';
}
