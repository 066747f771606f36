import { parseJson, stringifyJson } from '../../wire/json/json.js';
import type { Notification } from '../../wire/notification.js';
import type { MemoryNotificationLog } from '../notifier/memory-notification-log.js';
import type { NotificationDriver } from './notification-driver.js';

/** Keeps notifications, their payloads as a listener would receive them; Python's `test`. */
export class TestDriver implements NotificationDriver {
  constructor(private readonly log: MemoryNotificationLog) {}

  /** @throws MalformedMessage what could not be sent either */
  notify(notification: Notification): void {
    const payload = parseJson(stringifyJson(notification.payload), 'exact');
    this.log.add({ ...notification, payload });
  }
}
