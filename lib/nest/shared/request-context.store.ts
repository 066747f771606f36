import { transportIdentity } from '../../config/transport-identity.js';
import { parseTransportUrl } from '../../config/transport-url.js';
import type { RequestContext } from '../../wire/request-context.js';
import { ambientContext } from '../server/running-request.js';

/**
 * Which clients send the context of the request that is being handled on: those on the bus that it came
 * by (the same hosts and virtual host, as written in the URLs), so that its token stays there; all; none.
 *
 * @publicApi
 */
export type ForwardContext = 'always' | 'never' | 'same-transport';

/**
 * The request context in whose name this code runs: that of the request being handled, or the one of
 * `runWithRequestContext`. An instance of your own class where the server's serializer makes one.
 *
 * @publicApi
 */
export function currentRequestContext<Context extends object = RequestContext>(): Context | undefined {
  return ambientContext.getStore()?.requestContext as Context | undefined;
}

/**
 * Runs code in the name of a context: clients used in it, and in what it starts, send it on by themselves.
 * Inside a handler it still belongs to the bus that the request came by; elsewhere it goes with every
 * client that forwards contexts at all, unless `transportUrl` ties it to one bus.
 *
 * @example
 * ```ts
 * const admin = { ...currentRequestContext(), is_admin: true };
 * await runWithRequestContext(admin, () => conductor.call('reload'));
 * ```
 *
 * @throws InvalidTransportUrl
 * @publicApi
 */
export function runWithRequestContext<Result>(
  requestContext: object,
  run: () => Result,
  { transportUrl }: { transportUrl?: string } = {},
): Result {
  const current = ambientContext.getStore();
  const transport = transportUrl ? transportIdentity(parseTransportUrl(transportUrl)) : current?.transport;
  return ambientContext.run({ ...current, requestContext, transport }, run);
}

/**
 * Runs what outlives the request that happens to start it, such as a connection: what a socket calls
 * back would run in that request's name for ever.
 */
export function runOutsideRequests<Result>(run: () => Result): Result {
  return ambientContext.run(undefined, run);
}

/** Ties a callback to the context of now: replies come in the name of nobody, or of somebody else. */
export function inCurrentContext<Value>(callback: (value: Value) => void): (value: Value) => void {
  const current = ambientContext.getStore();
  return (value) => {
    if (ambientContext.getStore() === current) callback(value);
    else ambientContext.run(current, callback, value);
  };
}

/** The context that a client on this bus sends on by itself. */
export function forwardedContext(forward: ForwardContext, transport: string): object | undefined {
  if (forward === 'never') return undefined;
  const current = ambientContext.getStore();
  if (!current) return undefined;
  const isAllowed = forward === 'always' || current.transport === undefined || current.transport === transport;
  return isAllowed ? current.requestContext : undefined;
}
