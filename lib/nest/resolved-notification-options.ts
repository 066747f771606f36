import { Logger } from '@nestjs/common';
import { checkWaitingTime } from '../config/option-rule.js';
import type { RabbitOptions } from '../config/rabbit-options.js';
import { transportIdentity } from '../config/transport-identity.js';
import { DEFAULT_TRANSPORT_URL, parseTransportUrl } from '../config/transport-url.js';
import type { NotificationListenerOptions } from '../notify/notification-listener-options.js';
import type { NotifierOptions } from '../notify/notifier-options.js';
import type { RequestContext } from '../wire/request-context.js';
import type { NotificationModuleOptions } from './notification-module-options.js';
import { forwardedContext } from './request-context.store.js';
import { startupOptionsOf, type StartupPolicy } from './startup-policy.js';

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
  const transportUrl = options.transportUrl ?? DEFAULT_TRANSPORT_URL;
  const transport = transportIdentity(parseTransportUrl(transportUrl));
  return {
    transportUrl,
    transport,
    ...startupOptionsOf(options),
    flushTimeoutMs: checkWaitingTime('flushTimeoutMs', options.flushTimeoutMs ?? 5000),
    logEvents: options.logEvents ?? true,
    notifier: {
      ...options,
      // Without a name of its own: it is the driver that names its records, one by one.
      logger: options.logger ?? new Logger(),
      defaultContext: contextSource(options, transport),
    },
    listener: options,
    broker: options,
  };
}

/** The context of a notification that names none: that of what is being handled, where it may be sent on. */
function contextSource(
  { forwardContext = 'same-transport', defaultContext = () => ({}) }: NotificationModuleOptions,
  transport: string,
): () => RequestContext {
  return () => (forwardedContext(forwardContext, transport) as RequestContext | undefined) ?? defaultContext();
}
