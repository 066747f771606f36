import type { CallOptions, UserFunction } from '../../rpc/client/rpc-call-context.js';
import type { OsloMethodName, OsloParameters, OsloResult } from './oslo-api.js';

/**
 * A remote interface as an object: each of its methods is a call.
 *
 * @publicApi
 */
export type OsloProxy<Api extends object> = {
  readonly [Name in Exclude<OsloMethodName<Api>, NotOnProxies>]: (
    ...parameters: OsloParameters<Api, Name, CallOptions>
  ) => Promise<OsloResult<Api, Name>>;
};

/** Members that others look for on any object, and would call: promises, `JSON.stringify` and Nest's lifecycle. */
const NOT_ON_PROXIES = [
  'beforeApplicationShutdown',
  'onApplicationBootstrap',
  'onApplicationShutdown',
  'onModuleDestroy',
  'onModuleInit',
  'then',
  'toJSON',
] as const;

type NotOnProxies = (typeof NOT_ON_PROXIES)[number];

const notOnProxies: ReadonlySet<string> = new Set(NOT_ON_PROXIES);

/** Sends a call for `below`, the function that the user called. */
type SendCall = (below: UserFunction, method: string, parameters: readonly unknown[]) => Promise<unknown>;

/** An object of which every property but those of all objects is a method that sends a call. */
export function makeProxy<Api extends object>(send: SendCall): OsloProxy<Api> {
  const methods = new Map<string, UserFunction>();
  const methodOf = (name: string): UserFunction => {
    const known = methods.get(name);
    if (known) return known;
    const method: UserFunction = (...parameters) => send(method, name, parameters);
    methods.set(name, method);
    return method;
  };
  const target: object = Object.freeze({ [Symbol.toStringTag]: 'OsloProxy' });
  return new Proxy(target, {
    get: (object, name) => {
      if (typeof name === 'symbol' || name in object) return Reflect.get(object, name) as unknown;
      return notOnProxies.has(name) ? undefined : methodOf(name);
    },
  }) as OsloProxy<Api>;
}
