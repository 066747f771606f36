import type { NotificationDriver } from './notification-driver.js';

/** Takes every notification and does nothing; Python's `noop`. */
export class NoopDriver implements NotificationDriver {
  notify(): void {
    // Nothing is what it is for.
  }
}
