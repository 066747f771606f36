import { isRecord } from '../wire/json/is-record.js';
import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import type { INestApplicationContext } from '@nestjs/common';
import { getNotifierToken } from '../nest/notifications/inject-notifier.decorator.js';
import { Notifier } from '../nest/notifications/notifier.js';
import { type FilterRule, NotificationFilter } from '../notify/filter/notification-filter.js';
import type { Notification, NotificationPriority } from '../wire/notification.js';

/**
 * The expected notification; fields that are not named may be anything.
 *
 * @publicApi
 */
export interface ExpectedNotification {
  /** A glob, or a RegExp. */
  eventType?: FilterRule;
  priority?: NotificationPriority;
  /** A glob, or a RegExp. */
  publisherId?: FilterRule;
  /** Objects may have more keys; matchers such as `expect.any(String)` may stand for any part. */
  payload?: unknown;
  /** The expected request context, likewise. */
  context?: object;
}

/**
 * The notifier to look at.
 *
 * @publicApi
 */
export interface ExpectNotificationOptions {
  /** A notifier of `NotificationModule.forFeature`. @defaultValue the root's `Notifier` */
  notifier?: string | symbol;
}

/** As many are shown where none fits. */
const MOST_SHOWN = 10;

/**
 * Makes sure that an application has sent a notification, and returns it; of several, the last one. For
 * applications whose notifier has the driver `test`.
 *
 * @example
 * ```ts
 * NotificationModule.forRoot({ driver: 'test' })
 * // …
 * const { payload } = expectNotification(app, { eventType: 'compute.instance.*', priority: 'info' });
 * ```
 *
 * @throws AssertionError none fits; says what was sent instead
 * @publicApi
 */
export function expectNotification(
  app: Pick<INestApplicationContext, 'get'>,
  expected: ExpectedNotification,
  { notifier: name }: ExpectNotificationOptions = {},
): Notification {
  const token = name === undefined ? Notifier : getNotifierToken(name);
  const { notifications } = app.get<Notifier>(token, { strict: false }).testLog;
  const { eventType, publisherId } = expected;
  const filter = new NotificationFilter({ eventType, publisherId });
  const found = notifications.findLast((sent) => isExpected(sent, expected, filter));
  if (found) return found;
  throw new AssertionError({ message: complaint(expected, notifications), stackStartFn: expectNotification });
}

function isExpected(sent: Notification, expected: ExpectedNotification, filter: NotificationFilter): boolean {
  const { priority, payload, context } = expected;
  if (!filter.matches({ ...sent, metadata: {} })) return false;
  if (priority !== undefined && priority !== sent.priority) return false;
  if (Object.hasOwn(expected, 'payload') && !matchesPartially(sent.payload, payload)) return false;
  return context === undefined || matchesPartially(sent.context, context);
}

function complaint(expected: ExpectedNotification, sent: readonly Notification[]): string {
  const wanted = `No notification was sent that is ${inspect(expected, { depth: 6 })}`;
  if (sent.length === 0) return `${wanted}: none was kept at all (it takes the driver 'test')`;
  const shown = sent.slice(-MOST_SHOWN).map(({ priority, eventType, publisherId, payload, context }) => {
    return inspect({ priority, eventType, publisherId, payload, context }, { depth: 6 });
  });
  const what = sent.length > shown.length ? `the last ${shown.length} of ${sent.length}` : 'all that';
  return `${wanted}; ${what} were sent:\n${shown.join('\n')}`;
}

/**
 * True when everything that is expected is there: objects may have more keys than expected, lists not more
 * items. Matchers of test libraries (`expect.any(String)`) may stand for any part.
 */
function matchesPartially(actual: unknown, expected: unknown): boolean {
  if (isMatcher(expected)) return expected.asymmetricMatch(actual);
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false;
    return expected.every((item, index) => matchesPartially(actual[index], item));
  }
  if (!isRecord(expected)) return Object.is(actual, expected);
  if (!isRecord(actual)) return false;
  return Object.entries(expected).every(
    ([key, value]) => Object.hasOwn(actual, key) && matchesPartially(actual[key], value),
  );
}

function isMatcher(value: unknown): value is { asymmetricMatch(actual: unknown): boolean } {
  return isRecord(value) && typeof value.asymmetricMatch === 'function';
}
