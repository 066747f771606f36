import { hostname } from 'node:os';
import { basename } from 'node:path';

import { labelOf, withOriginsOf } from '../../config/option-origins.js';
import { checkOption, checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import type { AroundHook } from '../../events/around-hook.js';
import type { RequestContext } from '../../wire/request-context.js';
import type { NotificationLogger } from '../drivers/log.driver.js';
import type { NotificationDriver } from '../drivers/notification-driver.js';
import { MemoryNotificationLog } from './memory-notification-log.js';
import type { RoutingConfig } from './routing-rules.js';

/**
 * The drivers that come with this library, by oslo.messaging's names.
 *
 * @publicApi
 */
export const NOTIFICATION_DRIVERS = ['log', 'messaging', 'messagingv2', 'noop', 'routing', 'test'] as const;

/**
 * One of `NOTIFICATION_DRIVERS`.
 *
 * @publicApi
 */
export type NotificationDriverName = (typeof NOTIFICATION_DRIVERS)[number];

/**
 * Converts payloads and contexts on their way out; a `Serializer` is one.
 *
 * @publicApi
 */
export interface NotificationSerializer {
  serializeEntity(context: object, entity: unknown): unknown;
  serializeContext(context: object): RequestContext;
}

/**
 * Options of `NotifierCore`. Those that mirror an option of `[oslo_messaging_notifications]` keep its meaning.
 *
 * @publicApi
 */
export interface NotifierOptions {
  /** The publisher of the notifications. @defaultValue `<process>.<host>` */
  publisherId?: string;
  /** `control_exchange`. @defaultValue 'openstack' */
  exchange?: string;
  /** How notifications leave: by name, or a driver of one's own; none: not at all. `driver`. @defaultValue ['messagingv2'] */
  driver?: NotificationDriver | NotificationDriverName | readonly (NotificationDriver | NotificationDriverName)[];
  /** Each notification is sent once to each. `topics`. @defaultValue ['notifications'] */
  topics?: readonly string[];
  /** Tries after the first to hand a notification to the broker; -1: without limit. `retry`. @defaultValue -1 */
  retry?: number | null;
  /** Seconds after which a notification that is not out is given up. @defaultValue none */
  timeout?: number | null;
  /** Declares and binds `<topic>.<priority>`, so that nothing is lost without a listener. @defaultValue true */
  declareQueues?: boolean;
  /** Of the driver `routing`: its rules, or the path of a YAML file with them. `routing_config`. */
  routingConfig?: RoutingConfig | string;
  /** Drivers of one's own that the routing rules may name. @defaultValue {} */
  routingDrivers?: Readonly<Record<string, NotificationDriver>>;
  /** The logger of the driver `log`. @defaultValue the console's error stream */
  logger?: NotificationLogger;
  /** The log in which the driver `test` keeps notifications. @defaultValue a new one */
  testLog?: MemoryNotificationLog;
  /** Converts payloads and contexts. @defaultValue none: plain JSON data */
  serializer?: NotificationSerializer;
  /** Foreign code around each send. @defaultValue [] */
  hooks?: readonly AroundHook[];
  /** The context sent when a call names none. @defaultValue an empty one */
  defaultContext?: () => RequestContext;
}

export type ResolvedNotifierOptions = Required<Omit<NotifierOptions, 'driver' | 'routingConfig' | 'serializer'>> &
  Pick<NotifierOptions, 'routingConfig' | 'serializer'> & {
    drivers: readonly (NotificationDriver | NotificationDriverName)[];
    retry: number;
    timeout: number | null;
  };

export const NOTIFIER_RULES: OptionRules<NotifierOptions> = {
  publisherId: OPTION_TABLE.publisherId,
  exchange: OPTION_TABLE.exchange,
  driver: OPTION_TABLE.driver,
  topics: OPTION_TABLE.topics,
  retry: OPTION_TABLE.retry,
  timeout: OPTION_TABLE.timeout,
  declareQueues: OPTION_TABLE.declareQueues,
  routingConfig: OPTION_TABLE.routingConfig,
  routingDrivers: OPTION_TABLE.routingDrivers,
  logger: OPTION_TABLE.logger,
  testLog: OPTION_TABLE.testLog,
  serializer: OPTION_TABLE.serializer,
  hooks: OPTION_TABLE.hooks,
  defaultContext: OPTION_TABLE.defaultContext,
};

/** @throws ConfigurationError an option that there is none of, or a value that makes no sense */
export function resolveNotifierOptions(options: NotifierOptions): ResolvedNotifierOptions {
  checkOptions('A notifier', options, NOTIFIER_RULES);
  const { driver = ['messagingv2'], topics = ['notifications'] } = options;
  return withOriginsOf(options, {
    publisherId: options.publisherId ?? `${basename(process.argv[1] ?? 'node')}.${hostname()}`,
    // Listeners may take what comes by any.
    exchange: options.exchange === undefined || options.exchange === '*' ? 'openstack' : options.exchange,
    drivers: checkDrivers(driver),
    topics: checkTopics(topics, labelOf(options, 'topics')),
    retry: checkRetry(options.retry ?? -1),
    timeout: checkTimeout(options.timeout ?? null),
    declareQueues: options.declareQueues ?? true,
    routingConfig: options.routingConfig,
    routingDrivers: checkRoutingDrivers(options.routingDrivers ?? {}),
    logger: options.logger ?? consoleLogger,
    testLog: options.testLog ?? new MemoryNotificationLog(),
    serializer: options.serializer,
    hooks: options.hooks ?? [],
    defaultContext: options.defaultContext ?? (() => ({})),
  });
}

export function checkRetry(retry: number): number {
  checkOption('retry', retry, OPTION_TABLE.retry);
  return retry;
}

export function checkTimeout(seconds: number | null): number | null {
  checkOption('timeout', seconds, OPTION_TABLE.timeout);
  return seconds;
}

/** @throws ConfigurationError no topics, or one without a name */
export function checkTopics(topics: readonly string[], label = 'topics'): readonly string[] {
  if (Array.isArray(topics) && topics.length > 0 && topics.every((topic) => typeof topic === 'string' && topic)) {
    return topics;
  }
  throw new ConfigurationError(`${label} must be a list of names`, topics);
}

/** Which names there are, whoever makes the drivers knows. */
function checkDrivers(given: NonNullable<NotifierOptions['driver']>): ResolvedNotifierOptions['drivers'] {
  const drivers = (Array.isArray(given) ? given : [given]) as ResolvedNotifierOptions['drivers'];
  for (const driver of drivers) {
    if (typeof driver === 'string' || isDriver(driver)) continue;
    throw new ConfigurationError('driver must be names, or objects with a method notify', driver);
  }
  return drivers;
}

function checkRoutingDrivers(drivers: NotifierOptions['routingDrivers'] & object): typeof drivers {
  for (const [name, driver] of Object.entries(drivers)) {
    if (isDriver(driver)) continue;
    throw new ConfigurationError(`routingDrivers.${name} must be an object with a method notify`, driver);
  }
  return drivers;
}

function isDriver(value: unknown): value is NotificationDriver {
  return typeof value === 'object' && typeof (value as NotificationDriver | null)?.notify === 'function';
}

const consoleLogger: NotificationLogger = {
  log: (message, context) => console.error(`${context} ${message}`),
  warn: (message, context) => console.error(`${context} ${message}`),
  error: (message, context) => console.error(`${context} ${message}`),
};
