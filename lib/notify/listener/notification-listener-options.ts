import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import type { AroundHook } from '../../events/around-hook.js';
import type { IntegerReading } from '../../wire/json/json.js';
import type { RequestContext } from '../../wire/request-context.js';
import type { IncomingNotification } from './incoming-notification.js';
import { checkTopics } from '../notifier/notifier-options.js';

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
  /** The listener that failed last, and its error; REQUEUE without an error has none. */
  failures: readonly { listener: string; error?: unknown }[];
}

/**
 * Options of `NotificationListener`.
 *
 * @publicApi
 */
export interface NotificationListenerOptions {
  /** Of listeners that name none; `'*'`: any. `control_exchange`. @defaultValue 'openstack' */
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
  /** True when integers beyond ±(2^53−1) arrive exactly, as bigint, or as the nearest number. @defaultValue 'exact' */
  integers?: IntegerReading;
  /** Converts contexts and payloads. @defaultValue none: plain JSON data */
  serializer?: NotificationDeserializer;
  /** Foreign code around each handler. @defaultValue [] */
  hooks?: readonly AroundHook[];
}

export type ResolvedListenerOptions = Required<Omit<NotificationListenerOptions, 'onDeadLetter' | 'serializer'>> &
  Pick<NotificationListenerOptions, 'onDeadLetter' | 'serializer'>;

export const LISTENER_RULES: OptionRules<NotificationListenerOptions> = {
  exchange: OPTION_TABLE.exchange,
  topics: OPTION_TABLE.topics,
  requeueLimit: OPTION_TABLE.requeueLimit,
  requeueBackoffMs: OPTION_TABLE.requeueBackoffMs,
  requeueBackoffMaxMs: OPTION_TABLE.requeueBackoffMaxMs,
  onDeadLetter: OPTION_TABLE.onDeadLetter,
  shutdownTimeoutMs: OPTION_TABLE.shutdownTimeoutMs,
  integers: OPTION_TABLE.integers,
  serializer: OPTION_TABLE.serializer,
  hooks: OPTION_TABLE.hooks,
};

/** @throws ConfigurationError an option that there is none of, or a value that makes no sense */
export function resolveListenerOptions(options: NotificationListenerOptions): ResolvedListenerOptions {
  checkOptions('A listener', options, LISTENER_RULES);
  return {
    exchange: options.exchange ?? 'openstack',
    topics: checkTopics(options.topics ?? ['notifications']),
    requeueLimit: options.requeueLimit ?? 10,
    requeueBackoffMs: options.requeueBackoffMs ?? 100,
    requeueBackoffMaxMs: options.requeueBackoffMaxMs ?? 30_000,
    onDeadLetter: options.onDeadLetter,
    shutdownTimeoutMs: options.shutdownTimeoutMs ?? 30_000,
    integers: options.integers ?? 'exact',
    serializer: options.serializer,
    hooks: options.hooks ?? [],
  };
}
