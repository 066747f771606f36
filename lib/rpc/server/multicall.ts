import type { IncomingRequest } from './incoming-request.js';
import type { RpcHandler } from './rpc-endpoint.js';

/**
 * Sends one of several values, and resolves when the broker has it: true for go on, false where no more can reach the
 * caller. Rejects with the reason of the request's signal once that is aborted. Nothing is sent for `null`.
 */
export type SendValue = (value: unknown) => Promise<boolean>;

/** A handler that sends its values itself; the answer after them is empty. */
export type SendingHandler = (args: never, request: IncomingRequest, send: SendValue) => Promise<unknown>;

const sending = new WeakSet<RpcHandler>();

/**
 * Marks a handler of several answers: the generator that it returns is run, and each value that it yields is sent when the
 * one before is with the broker. A caller that waits for one answer, as Python's do, gets the last. A generator that
 * throws fails the call; one whose caller cannot be reached any more is ended. What is no generator is one value.
 *
 * Mirrors the `multicall` of oslo-incubator's RPC, which oslo.messaging still reads.
 *
 * @example
 * ```ts
 * const methods = { list: multicall(async function* ({ first }: { first: number }) { yield* hosts(first); }) };
 * ```
 *
 * @publicApi
 */
export function multicall<Args>(handler: (args: Args, request: IncomingRequest) => unknown): RpcHandler {
  return sendingHandler(async function (this: unknown, args: never, request, send) {
    await sendEach(await handler.call(this, args, request), send);
  });
}

/** Marks a handler as one that takes `send`. */
export function sendingHandler(handler: SendingHandler): RpcHandler {
  const marked = handler as RpcHandler;
  sending.add(marked);
  return marked;
}

export function sendsValues(handler: RpcHandler): boolean {
  return sending.has(handler);
}

/** Sends what an iterator yields, or the value that is none; resolves to false where no more can reach the caller. */
export async function sendEach(values: unknown, send: SendValue): Promise<boolean> {
  if (!isIterator(values)) return send(values);
  // Leaving the loop early ends the generator.
  for await (const value of values) if (!(await send(value))) return false;
  return true;
}

/** A list is a value. */
function isIterator(values: unknown): values is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof values !== 'object' || values === null) return false;
  const { next } = values as { next?: unknown };
  return Symbol.asyncIterator in values || (typeof next === 'function' && Symbol.iterator in values);
}
