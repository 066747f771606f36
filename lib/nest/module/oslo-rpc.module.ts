import {
  type INestApplicationContext,
  Module,
  type DynamicModule,
  type OnModuleDestroy,
  type Provider,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { OSLO_RPC } from '../shared/nest.constants.js';
import { OsloRpcStrategy } from '../server/oslo-rpc-strategy.js';
import { ServerOsloRpc } from '../server/server-oslo-rpc.js';
import { SERVER_OSLO_RPC_RULES, type ServerOsloRpcOptions } from '../server/server-oslo-rpc-options.js';
import { getOsloServerToken, optionsToken } from './oslo-rpc-tokens.js';
import { parseRpcTransportUrl } from '../../config/transport-url.js';
import { CLIENT_OSLO_RPC_RULES, type ClientOsloRpcOptions } from '../client/client-oslo-rpc-options.js';
import { overRoot, refuseUnsetBus } from '../shared/config-file.js';
import { prepareController } from '../server/controller-preparation.js';
import { OsloConnectionsModule } from './oslo-connections.module.js';
import { OsloRpcFeatureModule } from './oslo-rpc-feature.module.js';
import {
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
    const { isGlobal, transportId, ...given } = options;
    checkRoot(given);
    return rootModule({ isGlobal, transportId }, [{ provide: GIVEN_OPTIONS, useFactory: () => given }]);
  }

  /** The same, with options that other providers know. */
  static forRootAsync(options: OsloRpcModuleAsyncOptions): DynamicModule {
    const { extraProviders = [], imports, isGlobal, transportId } = options;
    const own = optionsProviders(GIVEN_OPTIONS, options, (factory) => factory.createOsloRpcOptions(), checkRoot);
    return { ...rootModule({ isGlobal, transportId }, [...own, ...extraProviders]), imports };
  }

  /** Clients for the module that imports it, each injected with `@InjectOsloClient(name)`. */
  static forFeature(features: readonly OsloRpcFeature[], scope: OsloRpcFeatureScope = {}): DynamicModule {
    return OsloRpcFeatureModule.with(features, scope);
  }

  /**
   * The strategy of a microservice whose bus stands in `forRoot`, there once for clients and server. For
   * `NestFactory.createMicroservice`, which is given it before there is anything to inject, and for `connectMicroservice`.
   *
   * @example
   * ```ts
   * // OsloRpcModule.forRoot({ transportUrl, exchange: 'nova', serve: { topic: 'conductor' } }) in AppModule
   * const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, { strategy: OsloRpcModule.strategy() });
   * ```
   *
   * @throws ConfigurationError at `listen()`: the application has no such root
   */
  static strategy(root?: Pick<OsloRpcModuleScope, 'transportId'>): OsloRpcStrategy;
  /** The injected `ServerOsloRpc` of an application that there is already. */
  static strategy(app: INestApplicationContext, root?: Pick<OsloRpcModuleScope, 'transportId'>): ServerOsloRpc;
  static strategy(
    appOrRoot: INestApplicationContext | Pick<OsloRpcModuleScope, 'transportId'> = {},
    root: Pick<OsloRpcModuleScope, 'transportId'> = {},
  ): OsloRpcStrategy | ServerOsloRpc {
    if ('get' in appOrRoot) return appOrRoot.get(getOsloServerToken(root.transportId), { strict: false });
    checkOptions('OsloRpcModule.strategy', appOrRoot, { transportId: OPTION_TABLE.transportId });
    return new OsloRpcStrategy(appOrRoot.transportId ?? OSLO_RPC);
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(serversOf(this.modules).map((server) => server.drain()));
  }
}

const GIVEN_OPTIONS = Symbol('nestjs-oslo-messaging:given options');

const ROOT_RULES: OptionRules<OsloRpcModuleOptions> = { ...CLIENT_OSLO_RPC_RULES, serve: OPTION_TABLE.serve };

/** @throws ConfigurationError an option that there is none of, or a value that makes no sense */
function checkRoot(options: OsloRpcModuleOptions): void {
  checkOptions('OsloRpcModule', options, ROOT_RULES);
  const { transportId: _transportId, ...serveRules } = SERVER_OSLO_RPC_RULES;
  checkOptions('serve of OsloRpcModule', options.serve, serveRules);
  refuseUnsetBus('OsloRpcModule', options);
  // Else the first client would say so, much later.
  if (options.transportUrl !== undefined) parseRpcTransportUrl(options.transportUrl);
}

/** Both are made of what was given; a server that no application is given stays idle. */
function rootModule({ isGlobal = true, transportId = OSLO_RPC }: OsloRpcModuleScope, own: Provider[]): DynamicModule {
  const [options, server] = [optionsToken(transportId), getOsloServerToken(transportId)];
  const providers: Provider[] = [
    ...own,
    { provide: options, inject: [GIVEN_OPTIONS], useFactory: clientOptionsOf },
    {
      provide: server,
      inject: [GIVEN_OPTIONS],
      useFactory: (given: OsloRpcModuleOptions) => new ServerOsloRpc({ ...serverOptionsOf(given), transportId }),
    },
  ];
  return { module: OsloRpcModule, global: isGlobal, providers, exports: [options, server] };
}

function clientOptionsOf({ serve: _serve, ...options }: OsloRpcModuleOptions): ClientOsloRpcOptions {
  return options;
}

/** What clients and servers have in common; `server` is the name of one that clients call, and not this one's. */
function serverOptionsOf(given: OsloRpcModuleOptions): ServerOsloRpcOptions {
  const { server: _called, ...rest } = clientOptionsOf(given);
  const common = Object.fromEntries(
    Object.entries(rest).filter(([name]) => Object.hasOwn(SERVER_OSLO_RPC_RULES, name)),
  );
  return overRoot<ServerOsloRpcOptions>(common, given.serve ?? {}, 'serve of OsloRpcModule');
}
