import { readFileSync } from 'node:fs';

import type { MessageBroker } from '../../broker/broker.js';
import { labelOf, spelledLike } from '../../config/option-origins.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { textOf } from '../../errors/text-of.js';
import { LogDriver } from '../drivers/log.driver.js';
import { MessagingDriver } from '../drivers/messaging.driver.js';
import { NoopDriver } from '../drivers/noop.driver.js';
import type { NotificationDriver } from '../drivers/notification-driver.js';
import { RoutingDriver } from '../drivers/routing.driver.js';
import { TestDriver } from '../drivers/test.driver.js';
import {
  NOTIFICATION_DRIVERS,
  type NotificationDriverName,
  type NotifierOptions,
  resolveNotifierOptions,
  type ResolvedNotifierOptions,
} from './notifier-options.js';
import { RoutingRules } from './routing-rules.js';

/**
 * The drivers that the options name.
 *
 * @throws ConfigurationError an unknown name, rules that cannot be read, or no broker for one that needs it
 */
export function driversOf(options: ResolvedNotifierOptions, broker: MessageBroker | undefined): NotificationDriver[] {
  return options.drivers.map((driver) => (typeof driver === 'object' ? driver : namedDriver(driver, options, broker)));
}

/**
 * True when a notifier with these options sends anything through a broker.
 *
 * @throws ConfigurationError
 */
export function notifierNeedsBroker(options: NotifierOptions): boolean {
  const resolved = resolveNotifierOptions(options);
  const names = resolved.drivers.flatMap((driver): string[] => {
    if (typeof driver === 'object') return [];
    return driver === 'routing' ? [...rulesOf(resolved).drivers] : [driver];
  });
  return names.some((name) => name === 'messaging' || name === 'messagingv2');
}

function namedDriver(
  name: NotificationDriverName,
  options: ResolvedNotifierOptions,
  broker: MessageBroker | undefined,
): NotificationDriver {
  switch (name) {
    case 'messaging':
      return new MessagingDriver(required(broker, name), '1.0', options);
    case 'messagingv2':
      return new MessagingDriver(required(broker, name), '2.0', options);
    case 'log':
      return new LogDriver(options.logger);
    case 'routing':
      return routingDriver(options, broker);
    case 'test':
      return new TestDriver(options.testLog);
    case 'noop':
      return new NoopDriver();
    default:
      throw new ConfigurationError(`There is no notification driver '${String(name)}'`, name);
  }
}

function routingDriver(options: ResolvedNotifierOptions, broker: MessageBroker | undefined): RoutingDriver {
  const rules = rulesOf(options);
  const drivers = rules.drivers.map((name): [string, NotificationDriver] => {
    if (Object.hasOwn(options.routingDrivers, name)) return [name, options.routingDrivers[name]!];
    const known = NOTIFICATION_DRIVERS.find((each) => each === name);
    if (!known) throw new ConfigurationError(`The routing rules name the driver '${name}', which there is not`, name);
    return [name, namedDriver(known, options, broker)];
  });
  return new RoutingDriver(rules, new Map(drivers));
}

function rulesOf(options: ResolvedNotifierOptions): RoutingRules {
  const { routingConfig } = options;
  if (routingConfig === undefined) {
    const missing = spelledLike<NotifierOptions>(options, 'driver', 'routingConfig');
    throw new ConfigurationError(`Option ${labelOf<NotifierOptions>(options, 'driver')}: 'routing' needs ${missing}`);
  }
  if (typeof routingConfig !== 'string') return new RoutingRules(routingConfig);
  try {
    return RoutingRules.fromYaml(readFileSync(routingConfig, 'utf8'));
  } catch (error) {
    const label = labelOf<NotifierOptions>(options, 'routingConfig');
    const text = `Option ${label} must be a file with routing rules, not '${routingConfig}': ${textOf(error)}`;
    throw new ConfigurationError(text, routingConfig, { cause: error });
  }
}

function required(broker: MessageBroker | undefined, driver: string): MessageBroker {
  if (broker) return broker;
  throw new ConfigurationError(`The notification driver '${driver}' needs a broker`, driver);
}
