import { type DynamicModule, type FactoryProvider, Inject, Module } from '@nestjs/common';
import { namesBus, overRoot, readConfigFile, warnOfDefaultBus } from '../shared/config-file.js';
import { FeatureConnections, featureModule } from './feature-connections.js';
import { getNotifierToken } from '../notifications/inject-notifier.decorator.js';
import {
  NOTIFICATION_OPTIONS,
  type NotificationFeature,
  type NotificationFeatureScope,
  type NotificationModuleOptions,
} from '../notifications/notification-module-options.js';
import { Notifier } from '../notifications/notifier.js';
import { SharedBrokers } from './shared-brokers.js';

const FEATURE_NOTIFIERS = Symbol('nestjs-oslo-messaging:feature notifiers');

/** The notifiers of one `forFeature`. */
@Module({})
export class NotificationFeatureModule extends FeatureConnections {
  /** Tests put anything in a notifier's place. */
  constructor(@Inject(FEATURE_NOTIFIERS) notifiers: readonly unknown[]) {
    super(notifiers.filter((notifier) => notifier instanceof Notifier));
  }

  static with(features: readonly NotificationFeature[], scope: NotificationFeatureScope): DynamicModule {
    return featureModule(NotificationFeatureModule, FEATURE_NOTIFIERS, features.map(notifierProvider), scope);
  }
}

function notifierProvider({ name, ...options }: NotificationFeature): FactoryProvider<Notifier> {
  return {
    provide: getNotifierToken(name),
    inject: [SharedBrokers, { token: NOTIFICATION_OPTIONS, optional: true }],
    useFactory: (brokers: SharedBrokers, root: NotificationModuleOptions = {}) => {
      const merged = overRoot(root, options, `NotificationModule.forFeature, ${String(name)}`);
      const config = readConfigFile(merged.configFile);
      const isKnown = namesBus(merged, config) || config?.notifications.transportUrl !== undefined;
      if (!isKnown) warnOfDefaultBus('NotificationModule', name);
      return Notifier.open(merged, brokers);
    },
  };
}
