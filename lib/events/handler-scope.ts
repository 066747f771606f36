import { AsyncResource } from 'node:async_hooks';

/**
 * Runs a handler as something of its own: what it puts into the asynchronous context by `enterWith` is not found by those
 * that are started after it.
 */
export function inHandlerScope<Result>(run: () => Result): Result {
  return new AsyncResource('OSLO_HANDLER').runInAsyncScope(run);
}
