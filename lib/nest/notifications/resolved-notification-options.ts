import { Logger } from '@nestjs/common';
import { labelOf, mergeOptions, withOriginsOf } from '../../config/option-origins.js';
import { checkOption, checkOptions, hiding, type OptionRules, pickOptions } from '../../config/option-rule.js';
import type { OsloConfig } from '../../config/oslo-config/oslo-config.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { RABBIT_OPTION_RULES, type RabbitOptions } from '../../config/rabbit-options.js';
import { transportIdentity } from '../../config/transport-identity.js';
import { parseTransportUrl } from '../../config/transport-url.js';
import {
  LISTENER_RULES,
  type NotificationListenerOptions,
} from '../../notify/listener/notification-listener-options.js';
import {
  NOTIFICATION_DRIVERS,
  type NotificationDriverName,
  NOTIFIER_RULES,
  type NotifierOptions,
} from '../../notify/notifier/notifier-options.js';
import type { RequestContext } from '../../wire/request-context.js';
import type { NotificationModuleOptions } from './notification-module-options.js';
import { forwardedContext } from '../shared/request-context.store.js';
import { busOf, noteOnce, readConfigFile, refuseUnsetBus } from '../shared/config-file.js';
import { startupOptionsOf, type StartupPolicy } from '../shared/startup-policy.js';

export const NOTIFICATION_RULES: OptionRules<NotificationModuleOptions> = {
  ...RABBIT_OPTION_RULES,
  ...LISTENER_RULES,
  ...NOTIFIER_RULES,
  transportUrl: OPTION_TABLE.transportUrl,
  configFile: OPTION_TABLE.configFile,
  startup: OPTION_TABLE.startup,
  startupTimeoutMs: OPTION_TABLE.startupTimeoutMs,
  forwardContext: OPTION_TABLE.forwardContext,
  flushTimeoutMs: OPTION_TABLE.flushTimeoutMs,
  logEvents: OPTION_TABLE.logEvents,
};

export interface ResolvedNotificationOptions {
  transportUrl: string;
  /** The bus, for whoever asks whether another URL is the same one. */
  transport: string;
  /** Undefined: as it suits. */
  startup?: StartupPolicy;
  startupTimeoutMs?: number;
  flushTimeoutMs: number;
  logEvents: boolean;
  notifier: NotifierOptions;
  listener: NotificationListenerOptions;
  broker: RabbitOptions;
}

/** @throws InvalidTransportUrl, ConfigurationError */
export function resolveNotificationOptions(options: NotificationModuleOptions): ResolvedNotificationOptions {
  checkOptions('NotificationModule', options, NOTIFICATION_RULES);
  refuseUnsetBus('NotificationModule', options);
  const config = readConfigFile(options.configFile);
  const { transportUrl, broker } = busOf(
    { ...options, transportUrl: options.transportUrl ?? config?.notifications.transportUrl },
    config,
  );
  const transport = transportIdentity(parseTransportUrl(transportUrl));
  return hiding(['transportUrl', 'broker'], {
    transportUrl,
    transport,
    ...startupOptionsOf(options),
    flushTimeoutMs: options.flushTimeoutMs ?? 5000,
    logEvents: options.logEvents ?? true,
    notifier: mergeOptions<NotifierOptions>(
      config ? notifierOptionsOf(config) : {},
      pickOptions(options, NOTIFIER_RULES),
      {
        // Without a name of its own: it is the driver that names its records, one by one.
        logger: options.logger ?? new Logger(),
        defaultContext: contextSource(options, transport),
      },
    ),
    listener: mergeOptions<NotificationListenerOptions>(
      config ? listenerOptionsOf(config) : {},
      pickOptions(options, LISTENER_RULES),
    ),
    broker,
  });
}

/** @throws ConfigurationError a driver that there is none of */
function notifierOptionsOf({ exchange, files, notifications }: OsloConfig): NotifierOptions {
  const { driver, retry, routingConfig, topics } = notifications;
  if (driver.length === 0) noteOnce(`No notification leaves: ${files.join(', ')} names no driver`);
  for (const name of driver) {
    checkOption(labelOf(notifications, 'driver'), name, { type: 'choice', choices: NOTIFICATION_DRIVERS });
  }
  const options = { driver: driver as NotificationDriverName[], exchange, topics, retry, routingConfig };
  return pickOptions<NotifierOptions>(withOriginsOf(notifications, options), NOTIFIER_RULES);
}

function listenerOptionsOf({ exchange, notifications }: OsloConfig): NotificationListenerOptions {
  const options = withOriginsOf(notifications, { exchange, topics: notifications.topics });
  return pickOptions<NotificationListenerOptions>(options, LISTENER_RULES);
}

/** The context of a notification that names none: that of what is being handled, where it may be sent on. */
function contextSource(
  { forwardContext = 'same-transport', defaultContext = () => ({}) }: NotificationModuleOptions,
  transport: string,
): () => RequestContext {
  return () => (forwardedContext(forwardContext, transport) as RequestContext | undefined) ?? defaultContext();
}
