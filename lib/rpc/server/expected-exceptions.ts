import type { ErrorClass } from '../../errors/error-class.js';
import type { RpcHandler } from './rpc-endpoint.js';

const expectations = new WeakMap<RpcHandler, readonly ErrorClass[]>();

/**
 * Declares the errors that belong to a handler's normal work: the caller gets them all the same, but
 * they are reported at debug level only. Mirrors `oslo_messaging.expected_exceptions`.
 *
 * @publicApi
 */
export function expectedExceptions<H extends RpcHandler>(handler: H, ...classes: readonly ErrorClass[]): H {
  expectations.set(handler, [...(expectations.get(handler) ?? []), ...classes]);
  return handler;
}

export function isExpected(handler: RpcHandler, error: unknown): boolean {
  return expectations.get(handler)?.some((type) => error instanceof type) ?? false;
}
