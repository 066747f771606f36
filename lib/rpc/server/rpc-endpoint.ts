import type { IncomingRequest } from './incoming-request.js';

/**
 * Serves one method: `args` are the call's keyword arguments; what it returns or resolves to is the
 * answer (`undefined` becomes `null`), what it throws is the failure.
 *
 * @publicApi
 */
export type RpcHandler = (args: never, request: IncomingRequest) => unknown;

/**
 * Methods served together under one namespace and version; the counterpart of an oslo.messaging
 * endpoint object with its `target`.
 *
 * @publicApi
 */
export interface RpcEndpoint {
  /** Absent and `null` are the null namespace. */
  namespace?: string | null;
  /** The highest version implemented: requests up to it, in its major, are served. @defaultValue '1.0' */
  version?: string;
  /** Former namespaces that are still served; `null` is the null namespace. */
  legacyNamespaces?: readonly (string | null)[];
  /** An object or class instance with the methods, or a map of them. */
  methods: ReadonlyMap<string, RpcHandler> | object;
  /** Takes whatever no endpoint of its topic serves, in any namespace and version. */
  anyMethod?: RpcHandler;
  /** @defaultValue the server's topic */
  topic?: string;
  /** @defaultValue the server's exchange */
  exchange?: string;
}
