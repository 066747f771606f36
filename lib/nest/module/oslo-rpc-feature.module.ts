import { type DynamicModule, type FactoryProvider, Inject, Module } from '@nestjs/common';
import { namesBus, overRoot, readConfigFile, warnOfDefaultBus } from '../shared/config-file.js';
import { FeatureConnections, featureModule } from './feature-connections.js';
import { getOsloClientToken } from '../client/inject-oslo-client.decorator.js';
import { OsloClient } from '../client/oslo-client.js';
import { type OsloRpcFeature, type OsloRpcFeatureScope, type OsloRpcModuleOptions } from './oslo-rpc-module-options.js';
import { OSLO_RPC } from '../shared/nest.constants.js';
import { optionsToken } from './oslo-rpc-tokens.js';
import { SharedBrokers } from './shared-brokers.js';

const FEATURE_CLIENTS = Symbol('nestjs-oslo-messaging:feature clients');

/** The clients of one `forFeature`. */
@Module({})
export class OsloRpcFeatureModule extends FeatureConnections {
  /** Tests put anything in a client's place. */
  constructor(@Inject(FEATURE_CLIENTS) clients: readonly unknown[]) {
    super(clients.filter((client) => client instanceof OsloClient));
  }

  static with(features: readonly OsloRpcFeature[], scope: OsloRpcFeatureScope): DynamicModule {
    return featureModule(OsloRpcFeatureModule, FEATURE_CLIENTS, features.map(clientProvider), scope);
  }
}

function clientProvider({ name, transportId = OSLO_RPC, ...options }: OsloRpcFeature): FactoryProvider<OsloClient> {
  return {
    provide: getOsloClientToken(name),
    inject: [SharedBrokers, { token: optionsToken(transportId), optional: transportId === OSLO_RPC }],
    useFactory: (brokers: SharedBrokers, root: OsloRpcModuleOptions = {}) => {
      const merged = overRoot(root, options, `OsloRpcModule.forFeature, ${String(name)}`);
      if (!namesBus(merged, readConfigFile(merged.configFile))) warnOfDefaultBus('OsloRpcModule', name);
      return new OsloClient(merged, brokers);
    },
  };
}
