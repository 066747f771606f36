import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Provider, Type } from '@nestjs/common';
import type { ServerOsloRpcOptions } from '../server/server-oslo-rpc-options.js';
import type { ClientOsloRpcOptions } from '../client/client-oslo-rpc-options.js';

/**
 * Options of `OsloRpcModule.forRoot`: what the clients of `forFeature` have where they name nothing else, and the server of
 * `OsloRpcModule.strategy()`, which is the injected `ServerOsloRpc`.
 *
 * A `ServerOsloRpc` that you make takes its options from its constructor alone; with the same URL and connection options it
 * shares the connections of the clients.
 *
 * @publicApi
 */
export interface OsloRpcModuleOptions extends ClientOsloRpcOptions {
  /**
   * The server's options, over those beside it: its `topic`, its name (`server`), and what servers alone have. `server` beside
   * it is the one that clients call.
   *
   * @defaultValue {}
   */
  serve?: Omit<ServerOsloRpcOptions, 'transportId'>;
}

/**
 * The scope of the options.
 *
 * @publicApi
 */
export interface OsloRpcModuleScope {
  /**
   * True when they count for every `forFeature` of the application. Otherwise for those that are given a
   * module that exports this one: `forFeature([…], { imports: [BusModule] })`.
   *
   * @defaultValue true
   */
  isGlobal?: boolean;
  /** Of a further bus: it names the root for `forFeature` and `strategy`, and the patterns that its server serves. @defaultValue OSLO_RPC */
  transportId?: symbol;
}

/**
 * Makes the options of `OsloRpcModule.forRootAsync`, as `useClass` or `useExisting`.
 *
 * @publicApi
 */
export interface OsloRpcOptionsFactory {
  createOsloRpcOptions(): OsloRpcModuleOptions | Promise<OsloRpcModuleOptions>;
}

/**
 * One of `useFactory`, `useClass` and `useExisting`.
 *
 * @publicApi
 */
export interface OsloRpcModuleAsyncOptions extends OsloRpcModuleScope, Pick<ModuleMetadata, 'imports'> {
  /** Of `useFactory`. */
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory?: (...dependencies: never[]) => OsloRpcModuleOptions | Promise<OsloRpcModuleOptions>;
  useClass?: Type<OsloRpcOptionsFactory>;
  useExisting?: InjectionToken<OsloRpcOptionsFactory>;
  extraProviders?: Provider[];
}

/**
 * A client of `OsloRpcModule.forFeature`: its name for `@InjectOsloClient`, and what differs from the root's options.
 *
 * @publicApi
 */
export interface OsloRpcFeature extends ClientOsloRpcOptions {
  name: string | symbol;
  /** Of the root whose options count. @defaultValue OSLO_RPC */
  transportId?: symbol;
}

/**
 * The scope of the clients of a `forFeature`.
 *
 * @publicApi
 */
export interface OsloRpcFeatureScope extends Pick<ModuleMetadata, 'imports'> {
  /** True when its clients can be injected everywhere. @defaultValue false: where the module is imported */
  isGlobal?: boolean;
}

/** Token of the root's options. */
export const OSLO_RPC_OPTIONS = Symbol('nestjs-oslo-messaging:options');
