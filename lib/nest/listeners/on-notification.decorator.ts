import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { ENTRY_PROVIDER_WATERMARK } from '@nestjs/common/constants.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import { decoratedMethod, requireParentheses } from '../shared/decorated-method.js';
import type { NotificationFilter, NotificationFilterOptions } from '../../notify/filter/notification-filter.js';
import type { BatchOptions } from '../../notify/listener/notification-registration.js';
import type { NotificationPriority } from '../../wire/notification.js';

/**
 * Which notifications a listener takes, and how. What is said about their fields must all match.
 *
 * @publicApi
 */
export interface OnNotificationOptions extends NotificationFilterOptions {
  /** Instead of rules for the fields; `NotificationFilter.fromOslo` has Python's meaning. */
  filter?: NotificationFilter;
  /** @defaultValue the module's */
  topics?: readonly string[];
  /** `'*'`: whatever comes into its queues, by any exchange. @defaultValue the module's */
  exchange?: string;
  /** A queue of that name with a copy of the stream of its own; without one it shares `<topic>.<priority>`. */
  pool?: string;
  /** True when failing, or asking for it, puts a notification back to its queue. @defaultValue false, as in Python */
  allowRequeue?: boolean;
  /** Hands over lists. @defaultValue one at a time */
  batch?: BatchOptions;
  /** How many run at a time, per queue. More than one gives up their order. @defaultValue 1 */
  concurrency?: number;
  /**
   * Reads payloads as versioned objects (`nova_object.data` …): `true` gives a `VersionedObject`, with name and
   * version, for each, at any depth; `'data'` nothing but their data. Filters see payloads as they came.
   *
   * @defaultValue false
   */
  versioned?: boolean | 'data';
}

/** The options of one `@OnNotification()`. */
const RULES: OptionRules<OnNotificationOptions> = {
  filter: OPTION_TABLE.filter,
  topics: OPTION_TABLE.topics,
  exchange: OPTION_TABLE.exchange,
  pool: OPTION_TABLE.pool,
  allowRequeue: OPTION_TABLE.allowRequeue,
  batch: OPTION_TABLE.batch,
  concurrency: { type: 'checked' },
  versioned: { type: 'checked' },
  eventType: { type: 'checked' },
  publisherId: { type: 'checked' },
  context: OPTION_TABLE.context,
  metadata: OPTION_TABLE.context,
  payload: OPTION_TABLE.context,
};

export interface OnNotificationMetadata {
  readonly priorities: NotificationPriority | readonly NotificationPriority[];
  readonly options: OnNotificationOptions;
}

export const ON_NOTIFICATION = Symbol('nestjs-oslo-messaging:on notification');
/** Arguments of methods whose parameters have no decorators, in the form that Nest keeps. */
export const PLAIN_ARGUMENTS = 'nestjs-oslo-messaging:plain arguments';

const PAYLOAD_AND_CONTEXT = {
  [`${RpcParamtype.PAYLOAD}:0`]: { index: 0, data: undefined, pipes: [] },
  [`${RpcParamtype.CONTEXT}:1`]: { index: 1, data: undefined, pipes: [] },
};

/**
 * Calls a method of a provider or controller with notifications of these priorities. Several on one method
 * are several listeners.
 *
 * Throwing is failing: the notification is acknowledged and reported, or with `allowRequeue` put back to its
 * queue. So is answering `NotificationResult.REQUEUE`. Pipes, guards, interceptors and filters work, global
 * ones too: in an HTTP application they see contexts of type `rpc`.
 *
 * @example
 * ```ts
 * @OnNotification('error', { eventType: 'compute.instance.*' })
 * onError(@Payload() payload: InstanceError, @Ctx() context: OsloNotificationContext) { … }
 *
 * @OnNotification(['info', 'warn'], { pool: 'audit', batch: { size: 100, timeoutMs: 500 } })
 * onBatch(notifications: OsloNotification[]) { … }
 * ```
 *
 * @throws ConfigurationError an option that there is none of, or something else than a method
 * @publicApi
 */
export function OnNotification(
  priorities: NotificationPriority | readonly NotificationPriority[],
  options: OnNotificationOptions = {},
  ...place: never[]
): MethodDecorator {
  requireParentheses('@OnNotification(priority)', place.length > 0 ? [priorities, options, ...place] : [priorities]);
  checkOptions('@OnNotification', options, RULES);
  return (target, key, descriptor) => {
    const method = decoratedMethod('@OnNotification()', target, key, descriptor);
    // Decorators of a method run from the last one to the first.
    const following = (Reflect.getOwnMetadata(ON_NOTIFICATION, method) as OnNotificationMetadata[] | undefined) ?? [];
    Reflect.defineMetadata(ON_NOTIFICATION, [{ priorities, options }, ...following], method);
    // As for controllers, Nest then makes global enhancers that are request-scoped anew for each call.
    Reflect.defineMetadata(ENTRY_PROVIDER_WATERMARK, true, target.constructor);
    Reflect.defineMetadata(PLAIN_ARGUMENTS, PAYLOAD_AND_CONTEXT, target.constructor, String(key));
  };
}
