import { ConfigurationError } from '../../errors/configuration.errors.js';
import { NoSuchMethod, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { isVersionCompatible, parseApiVersion } from '../../wire/rpc/api-version.js';
import type { RpcAccessPolicy } from './access-policy.js';
import { sendsValues } from './multicall.js';
import type { RpcEndpoint, RpcHandler } from './rpc-endpoint.js';

/** The facts that dispatching goes by. */
export interface RequestedMethod {
  method: string;
  namespace: string | null;
  version: string;
}

/**
 * One interface of a topic, as data.
 *
 * @publicApi
 */
export interface ServedInterface {
  readonly namespace: string | null;
  /** Former names of it. */
  readonly legacyNamespaces: readonly (string | null)[];
  /** The highest version that is served. */
  readonly version: string;
  readonly methods: readonly string[];
}

/** A handler and what it is a method of. */
export interface RpcMethod {
  readonly handler: RpcHandler;
  readonly receiver: unknown;
  readonly isMulticall: boolean;
}

interface Interface {
  namespaces: readonly (string | null)[];
  version: string;
  methods: ReadonlyMap<string, RpcMethod>;
}

/**
 * Finds the handler of a request among the endpoints of a topic.
 *
 * Mirrors `RPCDispatcher.dispatch`: in the order of the list, the first endpoint of that namespace and a
 * compatible version that has the method takes it. Methods are looked up once, here, so no name
 * from the network ever reaches a property access.
 */
export class RpcDispatcher {
  private readonly interfaces: readonly Interface[];
  private readonly anyMethod?: RpcMethod;

  constructor(
    endpoints: readonly RpcEndpoint[],
    private readonly policy: RpcAccessPolicy,
  ) {
    this.interfaces = endpoints.map(compile);
    const proxy = endpoints.find((endpoint) => endpoint.anyMethod);
    if (proxy?.anyMethod) this.anyMethod = methodOf(proxy.anyMethod, proxy);
  }

  /** The interfaces, in their order, with the methods that may be called. */
  get served(): readonly ServedInterface[] {
    return this.interfaces.map(({ namespaces, version, methods }) => ({
      namespace: namespaces[0] ?? null,
      legacyNamespaces: namespaces.slice(1),
      version,
      methods: [...methods].flatMap(([name, { handler }]) => (this.policy.isAllowed(name, handler) ? [name] : [])),
    }));
  }

  /**
   * @throws UnsupportedVersion no endpoint has that namespace in a compatible version
   * @throws NoSuchMethod there is one, but without the method, or the access policy denies it
   */
  find({ method, namespace, version }: RequestedMethod): RpcMethod {
    let compatible = false;
    for (const candidate of this.interfaces) {
      if (!candidate.namespaces.includes(namespace) || !isVersionCompatible(version, candidate.version)) continue;
      compatible = true;
      const found = candidate.methods.get(method);
      if (found && this.policy.isAllowed(method, found.handler)) return found;
    }
    if (this.anyMethod && this.policy.isAllowed(method, this.anyMethod.handler)) return this.anyMethod;
    throw compatible ? new NoSuchMethod(method) : new UnsupportedVersion(version, method);
  }
}

function compile(endpoint: RpcEndpoint): Interface {
  const version = endpoint.version ?? '1.0';
  if (!parseApiVersion(version)) throw new ConfigurationError(`'${version}' is not a version like 1.0`, version);
  return {
    namespaces: [endpoint.namespace ?? null, ...(endpoint.legacyNamespaces ?? [])],
    version,
    methods: endpoint.methods instanceof Map ? methodsOfMap(endpoint.methods) : methodsOf(endpoint.methods),
  };
}

function methodOf(handler: RpcHandler, receiver: unknown): RpcMethod {
  return { handler, receiver, isMulticall: sendsValues(handler) };
}

function methodsOfMap(handlers: ReadonlyMap<string, RpcHandler>): Map<string, RpcMethod> {
  return new Map([...handlers].map(([name, handler]) => [name, methodOf(handler, undefined)]));
}

/** Own and inherited functions of an object, without what every object has, and without running getters. */
function methodsOf(receiver: object): Map<string, RpcMethod> {
  const methods = new Map<string, RpcMethod>();
  for (let level: object | null = receiver; level && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (typeof value !== 'function' || name === 'constructor' || methods.has(name)) continue;
      methods.set(name, methodOf(value as RpcHandler, receiver));
    }
  }
  return methods;
}
