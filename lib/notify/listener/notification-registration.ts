import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { longestTimerMs } from '../../events/longest-timer.js';
import { NOTIFICATION_PRIORITIES, type NotificationPriority } from '../../wire/notification.js';
import { shown } from '../../wire/shown.js';
import type { IncomingNotification } from './incoming-notification.js';
import { NotificationFilter, type NotificationFilterOptions } from '../filter/notification-filter.js';
import { checkTopics } from '../notifier/notifier-options.js';

/**
 * How many notifications come at once.
 *
 * @publicApi
 */
export interface BatchOptions {
  /** Handed over when so many are there. At most the prefetch of the queue. */
  size: number;
  /** Handed over so many milliseconds after the first came, however few there are. @defaultValue 1000 */
  timeoutMs?: number;
}

/** A listener's exchange: whichever a notification comes by. */
export const ANY_EXCHANGE = '*';

interface RegistrationBase {
  /** For events and logs. @defaultValue `listener <n>` */
  name?: string;
  priorities: NotificationPriority | readonly NotificationPriority[];
  /** @defaultValue ['notifications'] */
  topics?: readonly string[];
  /** `'*'`: whatever comes into its queues, by any exchange. @defaultValue the listener's */
  exchange?: string;
  /** Which notifications it takes. @defaultValue all */
  filter?: NotificationFilter | NotificationFilterOptions;
  /** A queue of that name with a copy of the stream of its own; without one it shares `<topic>.<priority>`. */
  pool?: string;
  /** True when failing, or asking for it, puts a notification back to its queue. @defaultValue false */
  allowRequeue?: boolean;
  /** How many run at a time, per queue. More than one gives up their order. @defaultValue 1 */
  concurrency?: number;
}

/**
 * A listener that gets one notification at a time.
 *
 * @publicApi
 */
export interface SingleRegistration extends RegistrationBase {
  batch?: undefined;
  handler(notification: IncomingNotification): unknown;
}

/**
 * A listener that gets lists.
 *
 * @publicApi
 */
export interface BatchRegistration extends RegistrationBase {
  batch: BatchOptions;
  /** Failing, or answering REQUEUE, is about all of them; `requeue()` about one. */
  handler(notifications: readonly IncomingNotification[]): unknown;
}

/**
 * A listener with its registration. The handler answers nothing, or a `NotificationResult`, or a promise of it.
 *
 * @publicApi
 */
export type NotificationRegistration = BatchRegistration | SingleRegistration;

/** A registration with everything decided. */
export interface NotificationListenerEntry {
  readonly name: string;
  readonly exchange: string;
  readonly topics: readonly string[];
  readonly priorities: ReadonlySet<string>;
  /** Of what it takes: `<topic>.<priority>`. */
  readonly routingKeys: ReadonlySet<string>;
  readonly filter: NotificationFilter;
  readonly pool?: string;
  readonly allowRequeue: boolean;
  readonly concurrency: number;
  readonly batch?: Required<BatchOptions>;
  readonly handler: (given: never) => unknown;
}

/** Defaults of a listener for its registrations. */
export interface RegistrationDefaults {
  exchange: string;
  topics: readonly string[];
}

const BATCH_RULES: OptionRules<BatchOptions> = { size: { type: 'checked' }, timeoutMs: { type: 'checked' } };

/** @throws ConfigurationError */
export function entryOf(
  registration: NotificationRegistration,
  index: number,
  defaults: RegistrationDefaults,
): NotificationListenerEntry {
  const name = registration.name ?? `listener ${index + 1}`;
  const priorities = checkPriorities(registration.priorities, name);
  const topics = checkTopics(registration.topics ?? defaults.topics);
  const { filter, batch } = registration;
  if (batch) checkOptions('batch', batch, BATCH_RULES);
  return {
    name,
    exchange: checkName('exchange', registration.exchange ?? defaults.exchange),
    topics,
    priorities: new Set(priorities),
    routingKeys: new Set(topics.flatMap((topic) => priorities.map((priority) => `${topic}.${priority}`))),
    filter: filter instanceof NotificationFilter ? filter : new NotificationFilter(filter),
    pool: registration.pool === undefined ? undefined : checkName('pool', registration.pool),
    allowRequeue: registration.allowRequeue ?? false,
    concurrency: checkCount('concurrency', registration.concurrency ?? 1),
    batch: batch && {
      size: checkCount('batch.size', batch.size),
      timeoutMs: checkCount('batch.timeoutMs', batch.timeoutMs ?? 1000),
    },
    handler: registration.handler,
  };
}

const KNOWN = NOTIFICATION_PRIORITIES.join(', ');

function checkPriorities(
  given: NotificationRegistration['priorities'],
  listener: string,
): readonly NotificationPriority[] {
  const priorities = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(priorities) || priorities.length === 0) {
    throw new ConfigurationError(`${listener} must name a priority: ${KNOWN}`, given);
  }
  const unknown = (priorities as NotificationPriority[]).find((each) => !NOTIFICATION_PRIORITIES.includes(each));
  if (unknown !== undefined) {
    const what = shown(String(unknown));
    throw new ConfigurationError(`${listener} listens to '${what}', which is no priority: use ${KNOWN}`, unknown);
  }
  return priorities as NotificationPriority[];
}

function checkName(option: string, name: string): string {
  if (typeof name === 'string' && name !== '') return name;
  throw new ConfigurationError(`${option} must be a name`, name);
}

export function checkCount(name: string, count: number): number {
  if (Number.isInteger(count) && count >= 1 && count <= longestTimerMs) return count;
  throw new ConfigurationError(`${name} must be a whole number from 1`, count);
}
