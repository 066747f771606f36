import type { OsloRpcContext } from '../oslo-rpc.context.js';

const kept = new WeakMap<OsloRpcContext, { error: unknown }>();

/** Remembers how a request failed; the last one to tell is the nearest to the caller. */
export function keepError(context: OsloRpcContext, error: unknown): void {
  kept.set(context, { error });
}

/** How this request failed, if a keeper was there to see it. */
export function keptError(context: OsloRpcContext): { error: unknown } | undefined {
  return kept.get(context);
}
