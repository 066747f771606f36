import {
  type DynamicModule,
  type FactoryProvider,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule, ModuleRef, ModulesContainer } from '@nestjs/core';
import { checkOptions } from '../../config/option-rule.js';
import { overBusOptions } from '../../config/bus-options.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { ListenerHandlers } from '../listeners/listener-handlers.js';
import { NotificationFeatureModule } from './notification-feature.module.js';
import { NotificationListeners } from '../listeners/notification-listeners.js';
import { NotificationMetadataAccessor } from '../listeners/notification-metadata.accessor.js';
import {
  NOTIFICATION_OPTIONS,
  type NotificationFeature,
  type NotificationFeatureScope,
  type NotificationModuleAsyncOptions,
  type NotificationModuleOptions,
  type NotificationModuleScope,
} from '../notifications/notification-module-options.js';
import { NotificationExplorer } from '../listeners/notification.explorer.js';
import { Notifier } from '../notifications/notifier.js';
import { given } from './feature-connections.js';
import { optionsProviders } from './options-providers.js';
import { OSLO_RPC_OPTIONS, type OsloRpcModuleOptions } from './oslo-rpc-module-options.js';
import { OsloConnectionsModule } from './oslo-connections.module.js';
import { NOTIFICATION_RULES } from '../notifications/resolved-notification-options.js';
import { busOf, readConfigFile, refuseUnsetBus } from '../shared/config-file.js';
import { SharedBrokers } from './shared-brokers.js';

/**
 * Notifications: a `Notifier` to inject, and `@OnNotification()` listeners, in any kind of application.
 *
 * Listeners start when the application has started, and are drained before its own modules are destroyed.
 * Servers and clients on the same URL, with the same connection options, share its connections.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [NotificationModule.forRoot({ transportUrl: 'rabbit://…', exchange: 'nova', publisherId: 'compute.host1' })],
 *   providers: [ComputeService, AuditListener],
 * })
 * class AppModule {}
 *
 * // where it is used
 * constructor(private readonly notifier: Notifier) {}
 * await this.notifier.info('compute.instance.create.end', { instance_id: id });
 *
 * // where it is heard, here or in Python
 * @OnNotification('info', { eventType: 'compute.instance.*' })
 * onCompute(@Payload() payload: { instance_id: string }, @Ctx() context: OsloNotificationContext) { … }
 * ```
 *
 * @hideconstructor
 * @publicApi
 */
@Module({ imports: [OsloConnectionsModule, DiscoveryModule] })
export class NotificationModule
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  /** @throws ConfigurationError a second root would call each listener twice */
  constructor(
    private readonly listeners: NotificationListeners,
    private readonly explorer: NotificationExplorer,
    private readonly own: ModuleRef,
    private readonly brokers: SharedBrokers,
    modules: ModulesContainer,
  ) {
    const roots = [...modules.values()].filter(({ metatype }) => metatype === NotificationModule);
    if (roots.length > 1) throw new ConfigurationError('NotificationModule.forRoot is for once in an application');
    // The nearest module is the first to be destroyed; a global one would be the last.
    for (const root of roots) root.distance = 0;
  }

  /** Once in an application, in its root module. */
  static forRoot(options: NotificationModuleOptions & NotificationModuleScope = {}): DynamicModule {
    const { isGlobal, ...notificationOptions } = options;
    checkRoot(notificationOptions);
    return rootModule({ isGlobal }, [{ provide: GIVEN_OPTIONS, useFactory: () => notificationOptions }]);
  }

  /** The same, with options that other providers know. */
  static forRootAsync(options: NotificationModuleAsyncOptions): DynamicModule {
    const { extraProviders = [], imports = [], isGlobal } = options;
    const own = optionsProviders(GIVEN_OPTIONS, options, (factory) => factory.createNotificationOptions(), checkRoot);
    return { ...rootModule({ isGlobal }, [...own, ...extraProviders]), imports };
  }

  /** Further notifiers, for the module that imports it, each injected with `@InjectNotifier(name)`. */
  static forFeature(features: readonly NotificationFeature[], scope: NotificationFeatureScope = {}): DynamicModule {
    return NotificationFeatureModule.with(features, scope);
  }

  /** A start that fails leaves no connection behind that would keep the process alive. */
  async onModuleInit(): Promise<void> {
    await this.orClose(() => this.notifier?.connect());
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.orClose(() => this.listeners.start(this.explorer.explore()));
  }

  async onModuleDestroy(): Promise<void> {
    await this.listeners.drain();
  }

  /** Servers are closed by now, so the last handler has ended. */
  async onApplicationShutdown(): Promise<void> {
    await this.listeners.close();
    await this.notifier?.close();
  }

  /** Tests put anything in its place. */
  private get notifier(): Notifier | undefined {
    const notifier: unknown = this.own.get(Notifier);
    return notifier instanceof Notifier ? notifier : undefined;
  }

  private async orClose(start: () => Promise<void> | undefined): Promise<void> {
    try {
      await start();
    } catch (error) {
      await this.onApplicationShutdown();
      await this.brokers.closeAll();
      throw error;
    }
  }
}

const GIVEN_OPTIONS = Symbol('nestjs-oslo-messaging:given notification options');

/** On the bus of `OsloRpcModule` where none is named. */
const OPTIONS: FactoryProvider<NotificationModuleOptions> = {
  provide: NOTIFICATION_OPTIONS,
  inject: [GIVEN_OPTIONS, { token: OSLO_RPC_OPTIONS, optional: true }],
  useFactory: (options: NotificationModuleOptions, rpc?: OsloRpcModuleOptions) => {
    if (!rpc || options.transportUrl !== undefined || options.configFile !== undefined) return options;
    const { transportUrl, broker } = busOf(rpc, readConfigFile(rpc.configFile));
    return { ...overBusOptions(broker, given(options)), transportUrl };
  },
};

const NOTIFIER: FactoryProvider<Notifier> = {
  provide: Notifier,
  inject: [NOTIFICATION_OPTIONS, SharedBrokers],
  useFactory: (options: NotificationModuleOptions, brokers: SharedBrokers) => Notifier.open(options, brokers),
};

const LISTENING = [NotificationListeners, NotificationExplorer, NotificationMetadataAccessor, ListenerHandlers];

/** @throws ConfigurationError an option that there is none of, or a value that makes no sense */
function checkRoot(options: NotificationModuleOptions): void {
  checkOptions('NotificationModule', options, NOTIFICATION_RULES);
  refuseUnsetBus('NotificationModule', options);
}

function rootModule({ isGlobal = true }: NotificationModuleScope, options: Provider[]): DynamicModule {
  return {
    module: NotificationModule,
    global: isGlobal,
    providers: [...options, OPTIONS, NOTIFIER, ...LISTENING],
    exports: [NOTIFICATION_OPTIONS, Notifier, NotificationListeners],
  };
}
