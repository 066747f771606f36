import type { Notification } from '../../wire/notification.js';
import { notifyAll } from '../notifier/notify-all.js';
import type { RoutingRules } from '../notifier/routing-rules.js';
import type { NotificationDriver, NotifyLimits } from './notification-driver.js';

/**
 * Sends each notification by the drivers that its rules name; Python's `routing`, whose real drivers never
 * load.
 */
export class RoutingDriver implements NotificationDriver {
  constructor(
    private readonly rules: RoutingRules,
    private readonly drivers: ReadonlyMap<string, NotificationDriver>,
  ) {}

  notify(notification: Notification, limits: NotifyLimits): Promise<void> {
    const names = this.rules.driversFor(notification.eventType, notification.priority);
    return notifyAll(
      names.map((name) => this.drivers.get(name)!),
      notification,
      limits,
    );
  }
}
