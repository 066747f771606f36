import { checkWaitingTime } from '../config/option-rule.js';
import { ConfigurationError } from '../errors/configuration.errors.js';
import type { AroundHook } from '../events/around-hook.js';
import type { IntegerReading } from '../wire/json.js';
import type { RequestContext } from '../wire/request-context.js';
import type { IncomingNotification } from './incoming-notification.js';
import { checkCount } from './notification-registration.js';
import { checkTopics } from './notifier-options.js';

/**
 * Converts contexts and payloads on their way in; a `Serializer` is one.
 *
 * @publicApi
 */
export interface NotificationDeserializer {
  deserializeContext(context: RequestContext): object;
  deserializeEntity(context: object, entity: unknown): unknown;
}

/**
 * A notification that was requeued often enough.
 *
 * @publicApi
 */
export interface DeadLetter {
  notification: IncomingNotification;
  /** How often this process has tried. */
  attempts: number;
  /** Who has failed last, and with what; REQUEUE without an error has none. */
  failures: readonly { listener: string; error?: unknown }[];
}

/**
 * Options of `NotificationListener`.
 *
 * @publicApi
 */
export interface NotificationListenerOptions {
  /** Of listeners that name none. `control_exchange`. @defaultValue 'openstack' */
  exchange?: string;
  /** Of listeners that name none. `topics`. @defaultValue ['notifications'] */
  topics?: readonly string[];
  /** How often a notification goes back to its queue from this process before it is a dead letter. @defaultValue 10 */
  requeueLimit?: number;
  /** How long it is held back on its first return, doubled with each. @defaultValue 100 */
  requeueBackoffMs?: number;
  /** Longest time that it is held back. @defaultValue 30000 */
  requeueBackoffMaxMs?: number;
  /** Takes what was requeued to the limit; it is acknowledged then. @defaultValue acknowledged and reported */
  onDeadLetter?: (letter: DeadLetter) => unknown;
  /** Longest time that a stop waits for running handlers. @defaultValue 30000 */
  shutdownTimeoutMs?: number;
  /** Whether integers beyond ±(2^53−1) arrive exactly, as bigint, or as the nearest number. @defaultValue 'exact' */
  integers?: IntegerReading;
  /** Converts contexts and payloads. @defaultValue none: plain JSON data */
  serializer?: NotificationDeserializer;
  /** Foreign code around each handler. @defaultValue [] */
  hooks?: readonly AroundHook[];
}

export type ResolvedListenerOptions = Required<Omit<NotificationListenerOptions, 'onDeadLetter' | 'serializer'>> &
  Pick<NotificationListenerOptions, 'onDeadLetter' | 'serializer'>;

/** @throws ConfigurationError */
export function resolveListenerOptions(options: NotificationListenerOptions): ResolvedListenerOptions {
  const backoffMs = checkCount('requeueBackoffMs', options.requeueBackoffMs ?? 100);
  const limit = options.requeueLimit ?? 10;
  if (limit !== 0) checkCount('requeueLimit', limit);
  const { onDeadLetter } = options;
  if (onDeadLetter !== undefined && typeof onDeadLetter !== 'function') {
    throw new ConfigurationError('onDeadLetter must be a function', onDeadLetter);
  }
  return {
    exchange: options.exchange ?? 'openstack',
    topics: checkTopics(options.topics ?? ['notifications']),
    requeueLimit: limit,
    requeueBackoffMs: backoffMs,
    requeueBackoffMaxMs: checkCount('requeueBackoffMaxMs', options.requeueBackoffMaxMs ?? 30_000),
    onDeadLetter,
    shutdownTimeoutMs: checkWaitingTime('shutdownTimeoutMs', options.shutdownTimeoutMs ?? 30_000),
    integers: options.integers ?? 'exact',
    serializer: options.serializer,
    hooks: options.hooks ?? [],
  };
}
