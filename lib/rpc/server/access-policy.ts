import type { RpcHandler } from './rpc-endpoint.js';

/**
 * Which of an endpoint's methods may be called from the bus. A denied method looks like one that
 * does not exist. Mirrors `oslo_messaging.rpc.dispatcher.RPCAccessPolicyBase`.
 *
 * @publicApi
 */
export interface RpcAccessPolicy {
  isAllowed(method: string, handler: RpcHandler): boolean;
}

const exposed = new WeakSet<RpcHandler>();

/**
 * Marks a handler as callable under `explicitAccessPolicy`; `oslo_messaging.expose`.
 *
 * @publicApi
 */
export function expose<H extends RpcHandler>(handler: H): H {
  exposed.add(handler);
  return handler;
}

/**
 * Everything but names that start with an underscore; `DefaultRPCAccessPolicy`.
 *
 * @publicApi
 */
export const defaultAccessPolicy: RpcAccessPolicy = { isAllowed: (method) => !method.startsWith('_') };

/**
 * Everything; `LegacyRPCAccessPolicy`.
 *
 * @publicApi
 */
export const legacyAccessPolicy: RpcAccessPolicy = { isAllowed: () => true };

/**
 * Only handlers marked with `expose`; `ExplicitRPCAccessPolicy`.
 *
 * @publicApi
 */
export const explicitAccessPolicy: RpcAccessPolicy = { isAllowed: (_method, handler) => exposed.has(handler) };
