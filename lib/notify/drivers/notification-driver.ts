import type { Notification } from '../../wire/notification.js';

/**
 * How hard a driver is to try.
 *
 * @publicApi
 */
export interface NotifyLimits {
  /** Tries after the first; -1: without limit. */
  readonly retry: number;
  /** Milliseconds from now on after which the notification is given up. */
  readonly giveUpMs?: number;
}

/**
 * A way for notifications out of the process. Its failures are the notifier's to report.
 *
 * Mirrors the drivers of `oslo.messaging.notify.drivers`.
 *
 * @example
 * ```ts
 * class AuditFile implements NotificationDriver {
 *   async notify({ eventType, payload }: Notification) {
 *     await appendFile('audit.log', `${JSON.stringify({ eventType, payload })}\n`);
 *   }
 * }
 * new NotifierCore(broker, { driver: ['messagingv2', new AuditFile()] });
 * ```
 *
 * @publicApi
 */
export interface NotificationDriver {
  /** Called for one notification after the other, without waiting for the one before; resolves when it is out. */
  notify(notification: Readonly<Notification>, limits: NotifyLimits): Promise<void> | void;
}
