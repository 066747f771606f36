import { Module, type DynamicModule, type OnModuleDestroy, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { checkOptions } from '../../config/option-rule.js';
import { parseRpcTransportUrl } from '../../config/transport-url.js';
import { CLIENT_OSLO_RPC_RULES } from '../client/client-oslo-rpc-options.js';
import { refuseUnsetBus } from '../shared/config-file.js';
import { prepareController } from '../server/controller-preparation.js';
import { OsloConnectionsModule } from './oslo-connections.module.js';
import { OsloRpcFeatureModule } from './oslo-rpc-feature.module.js';
import {
  OSLO_RPC_OPTIONS,
  type OsloRpcFeature,
  type OsloRpcFeatureScope,
  type OsloRpcModuleAsyncOptions,
  type OsloRpcModuleOptions,
  type OsloRpcModuleScope,
} from './oslo-rpc-module-options.js';
import { optionsProviders } from './options-providers.js';
import { serversOf } from '../health/servers-of.js';

/**
 * Typed clients, and what an application needs beside its `ServerOsloRpc`: error classes reach their
 * callers, connections are shared, and a shutdown drains the servers before the application's own modules
 * are destroyed.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     OsloRpcModule.forRoot({ transportUrl: 'rabbit://guest:guest@127.0.0.1:5672/', exchange: 'nova' }),
 *     OsloRpcModule.forFeature([{ name: 'CONDUCTOR', topic: 'conductor', version: '1.0' }]),
 *   ],
 *   controllers: [ConductorController],
 * })
 * class AppModule {}
 *
 * // where it is used
 * constructor(@InjectOsloClient('CONDUCTOR') private readonly conductor: OsloClient<ConductorApi>) {}
 * ```
 *
 * @publicApi
 */
@Module({ imports: [OsloConnectionsModule] })
export class OsloRpcModule implements OnModuleDestroy {
  constructor(private readonly modules: ModulesContainer) {
    for (const module of modules.values()) {
      // The nearest module is the first to be destroyed; a global one would be the last.
      if (module.metatype === OsloRpcModule) module.distance = 0;
      for (const { metatype } of module.controllers.values()) prepareController(metatype);
    }
  }

  /** Once in an application, in its root module; the options are those of all clients that name no others. */
  static forRoot(options?: OsloRpcModuleOptions & OsloRpcModuleScope): DynamicModule {
    if (!options) return { module: OsloRpcModule };
    const { isGlobal, ...clientOptions } = options;
    checkRoot(clientOptions);
    return rootModule({ isGlobal }, [{ provide: OSLO_RPC_OPTIONS, useFactory: () => clientOptions }]);
  }

  /** The same, with options that other providers know. */
  static forRootAsync(options: OsloRpcModuleAsyncOptions): DynamicModule {
    const { extraProviders = [], imports, isGlobal } = options;
    const own = optionsProviders(OSLO_RPC_OPTIONS, options, (factory) => factory.createOsloRpcOptions(), checkRoot);
    return { ...rootModule({ isGlobal }, [...own, ...extraProviders]), imports };
  }

  /** Clients for the module that imports it, each injected with `@InjectOsloClient(name)`. */
  static forFeature(features: readonly OsloRpcFeature[], scope: OsloRpcFeatureScope = {}): DynamicModule {
    return OsloRpcFeatureModule.with(features, scope);
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(serversOf(this.modules).map((server) => server.drain()));
  }
}

/** @throws ConfigurationError an option that there is none of, or a value that makes no sense */
function checkRoot(options: OsloRpcModuleOptions): void {
  checkOptions('OsloRpcModule', options, CLIENT_OSLO_RPC_RULES);
  refuseUnsetBus('OsloRpcModule', options);
  // Else the first client would say so, much later.
  if (options.transportUrl !== undefined) parseRpcTransportUrl(options.transportUrl);
}

function rootModule({ isGlobal = true }: OsloRpcModuleScope, providers: Provider[]): DynamicModule {
  return { module: OsloRpcModule, global: isGlobal, providers, exports: [OSLO_RPC_OPTIONS] };
}
