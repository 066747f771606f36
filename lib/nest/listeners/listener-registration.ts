import { isObservable, lastValueFrom } from 'rxjs';
import type { IncomingNotification } from '../../notify/listener/incoming-notification.js';
import type { NotificationRegistration } from '../../notify/listener/notification-registration.js';
import { plainVersioned, unwrapVersioned } from '../../wire/versioned-object.js';
import { LOG_RECORD } from '../shared/nest.constants.js';
import { OsloNotificationContext } from './notification.context.js';
import type { FoundListener } from './notification.explorer.js';
import type { OnNotificationOptions } from './on-notification.decorator.js';
import { runQuietly } from '../notifications/quiet-logging.js';
import { runOutsideRequests } from '../shared/request-context.store.js';
import { ambientContext } from '../server/running-request.js';

/** The registration of a listener on the bus `transport`, as the core calls it. */
export function registrationOf(listener: FoundListener, transport: string): NotificationRegistration {
  const { batch, call, versioned, ...wanted } = listener;
  const run = (context: OsloNotificationContext, payload: unknown): Promise<unknown> =>
    inNameOf(context, transport, async () => {
      const result = await call(payload, context);
      // Exception filters for messages answer with streams.
      return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
    });
  if (!batch) {
    return {
      ...wanted,
      handler: (notification) => {
        const context = new OsloNotificationContext([reread(notification, versioned)], false);
        return run(context, context.notification.payload);
      },
    };
  }
  return {
    ...wanted,
    batch,
    handler: (notifications) => {
      const read = notifications.map((notification) => reread(notification, versioned));
      return run(new OsloNotificationContext(read, true), read);
    },
  };
}

/** Clients and notifiers in a listener send its context on; a batch has none to send. */
function inNameOf<Result>(context: OsloNotificationContext, transport: string, work: () => Result): Result {
  const { isBatch, notifications, requestContext } = context;
  const isLogRecord = notifications.some(({ eventType }) => eventType === LOG_RECORD);
  const run = isLogRecord ? (): Result => runQuietly(work) : work;
  return isBatch ? runOutsideRequests(run) : ambientContext.run({ requestContext, transport }, run);
}

/** The payload is shared with other listeners: who wants it read otherwise gets a view of the notification. */
function reread(
  notification: IncomingNotification,
  versioned: OnNotificationOptions['versioned'],
): IncomingNotification {
  if (!versioned) return notification;
  const read = versioned === 'data' ? plainVersioned : unwrapVersioned;
  const view = Object.create(Object.getPrototypeOf(notification) as object) as IncomingNotification;
  Object.assign(view, notification, { payload: read(notification.payload) });
  return Object.defineProperty(view, 'requeue', { value: () => notification.requeue() });
}
