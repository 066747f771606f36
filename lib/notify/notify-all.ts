import { MessageDeliveryFailure } from '../errors/delivery.errors.js';
import { textOf } from '../errors/text-of.js';
import type { Notification } from '../wire/notification.js';
import type { NotificationDriver, NotifyLimits } from './drivers/notification-driver.js';

/**
 * Gives a notification to drivers in turn; one that fails stops no other.
 *
 * @throws what the one driver that failed threw; MessageDeliveryFailure where several did, their errors in an
 * AggregateError as its cause
 */
export async function notifyAll(
  drivers: readonly NotificationDriver[],
  notification: Notification,
  limits: NotifyLimits,
): Promise<void> {
  const outcomes = await Promise.allSettled(drivers.map((driver) => started(driver, notification, limits)));
  const errors = outcomes.flatMap((outcome): unknown[] => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (errors.length === 0) return;
  if (errors.length === 1) throw errors[0];
  const text = `${errors.length} of ${drivers.length} drivers failed: ${errors.map(textOf).join('; ')}`;
  throw new MessageDeliveryFailure(text, { cause: new AggregateError(errors, text) });
}

async function started(driver: NotificationDriver, notification: Notification, limits: NotifyLimits): Promise<void> {
  await driver.notify(notification, limits);
}
