import type { Notification } from '../../wire/notification.js';

/** The oldest are forgotten beyond that. */
const MOST_KEPT = 10_000;

/**
 * Notifications kept in memory, for tests.
 *
 * @publicApi
 */
export class MemoryNotificationLog {
  private kept: Notification[] = [];

  /** The oldest first. */
  get notifications(): readonly Notification[] {
    return this.kept;
  }

  add(notification: Notification): void {
    this.kept.push(notification);
    if (this.kept.length > MOST_KEPT) this.kept.shift();
  }

  clear(): void {
    this.kept = [];
  }
}
