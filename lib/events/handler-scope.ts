import { AsyncResource } from 'node:async_hooks';

/** Runs something in an asynchronous context that was kept, as `AsyncLocalStorage.snapshot()` does. */
export type InContext = <Result>(run: () => Result) => Result;

/**
 * Runs a handler as something of its own: what it puts into the asynchronous context by `enterWith` is not found by those
 * that are started after it. `inContext`: of what it handles, where that has one.
 */
export function inHandlerScope<Result>(run: () => Result, inContext?: InContext): Result {
  if (inContext) return inContext(() => inHandlerScope(run));
  return new AsyncResource('OSLO_HANDLER').runInAsyncScope(run);
}
