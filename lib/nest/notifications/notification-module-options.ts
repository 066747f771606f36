import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Provider, Type } from '@nestjs/common';
import type { RabbitOptions } from '../../config/rabbit-options.js';
import type { AroundHook } from '../../events/around-hook.js';
import type { NotificationListenerOptions } from '../../notify/listener/notification-listener-options.js';
import type { NotifierOptions } from '../../notify/notifier/notifier-options.js';
import type { Serializer } from '../../rpc/serializer.js';
import type { OsloConfigFile } from '../shared/config-file.js';
import type { ForwardContext } from '../shared/request-context.store.js';
import type { StartupOptions, StartupPolicy } from '../shared/startup-policy.js';

type CoreOptions = Omit<NotificationListenerOptions, 'serializer'> & Omit<NotifierOptions, 'serializer'>;

/**
 * Options of `NotificationModule.forRoot`: those of the notifier, of the listeners and of the bus.
 *
 * @publicApi
 */
export interface NotificationModuleOptions extends CoreOptions, RabbitOptions, Omit<StartupOptions, 'startup'> {
  /**
   * `memory://` is the embedded bus. `transport_url`.
   *
   * @defaultValue that of `OsloRpcModule.forRoot`, with its options of the bus; else 'rabbit://guest:guest@127.0.0.1:5672/'
   */
  transportUrl?: string;
  /**
   * Configuration files of a service, for what these options do not say: `'/etc/nova/nova.conf'`. Where they name no driver,
   * no notification leaves, as in Python.
   */
  configFile?: OsloConfigFile;
  /** Of notifications, and of listeners that name none. `control_exchange`. @defaultValue 'openstack' */
  exchange?: string;
  /** Each notification is sent once to each; also those of listeners that name none. `topics`. @defaultValue ['notifications'] */
  topics?: readonly string[];
  /** Foreign code around each send and each handler. @defaultValue [] */
  hooks?: readonly AroundHook[];
  /** Startup while the broker cannot be reached. @defaultValue 'wait' with listeners, else 'background' */
  startup?: StartupPolicy;
  /** True when notifications carry the context of what is being handled, where they name none. @defaultValue 'same-transport' */
  forwardContext?: ForwardContext;
  /** Converts contexts and payloads, both ways. @defaultValue none: plain JSON data */
  serializer?: Serializer<object>;
  /** Longest time that a shutdown waits for notifications that are not out yet. @defaultValue 5000 */
  flushTimeoutMs?: number;
  /**
   * True when events are written to Nest's log. Otherwise warnings and errors go to stderr, unless `events` has a listener.
   *
   * @defaultValue true
   */
  logEvents?: boolean;
}

/**
 * The scope of the module's notifier and options.
 *
 * @publicApi
 */
export interface NotificationModuleScope {
  /** True when `Notifier` can be injected everywhere. @defaultValue true */
  isGlobal?: boolean;
}

/**
 * Makes the options of `NotificationModule.forRootAsync`, as `useClass` or `useExisting`.
 *
 * @publicApi
 */
export interface NotificationOptionsFactory {
  createNotificationOptions(): NotificationModuleOptions | Promise<NotificationModuleOptions>;
}

/**
 * One of `useFactory`, `useClass` and `useExisting`.
 *
 * @publicApi
 */
export interface NotificationModuleAsyncOptions extends NotificationModuleScope, Pick<ModuleMetadata, 'imports'> {
  /** Of `useFactory`. */
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory?: (...dependencies: never[]) => NotificationModuleOptions | Promise<NotificationModuleOptions>;
  useClass?: Type<NotificationOptionsFactory>;
  useExisting?: InjectionToken<NotificationOptionsFactory>;
  extraProviders?: Provider[];
}

/**
 * A notifier of `NotificationModule.forFeature`: its name for `@InjectNotifier`, and what differs from the root's options.
 *
 * @publicApi
 */
export interface NotificationFeature extends NotificationModuleOptions {
  name: string | symbol;
}

/**
 * The scope of the notifiers of a `forFeature`.
 *
 * @publicApi
 */
export interface NotificationFeatureScope extends Pick<ModuleMetadata, 'imports'> {
  /** True when its notifiers can be injected everywhere. @defaultValue false: where the module is imported */
  isGlobal?: boolean;
}

/** Token of the root's options. */
export const NOTIFICATION_OPTIONS = Symbol('nestjs-oslo-messaging:notification options');
