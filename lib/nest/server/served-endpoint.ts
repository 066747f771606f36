import type { MessageHandler } from '@nestjs/microservices';
import { expose } from '../../rpc/server/access-policy.js';
import { expectedExceptions } from '../../rpc/server/expected-exceptions.js';
import type { IncomingRequest } from '../../rpc/server/incoming-request.js';
import { sendingHandler, type SendValue } from '../../rpc/server/multicall.js';
import type { RpcHandler } from '../../rpc/server/rpc-endpoint.js';
import { expectedClasses } from './expected-exceptions.decorator.js';
import { ANY_METHOD } from '../shared/nest.constants.js';
import type { ServedHandler, ServedInterface } from './pattern-registry.js';

/** How Nest's handlers are run for a request. */
export interface HandlerCalls {
  /** With `send` the handler has several answers, and each is sent. */
  call(handler: MessageHandler, request: IncomingRequest, send?: SendValue): Promise<unknown>;
  /** A failure beside the one that the caller is told. */
  reportFurther(error: unknown, request: IncomingRequest): void;
}

/** An interface as it is served. */
export interface ServedEndpoint extends Omit<ServedInterface, 'methods'> {
  /** Empty where there is `anyMethod`. */
  methods: ReadonlyMap<string, RpcHandler>;
  anyMethod?: RpcHandler;
}

/** The handlers of an interface as an endpoint; a pattern is explicit enough for every access policy. */
export function endpointOf({ methods, ...target }: ServedInterface, calls: HandlerCalls): ServedEndpoint {
  const handlers = new Map([...methods].map(([method, served]) => [method, exposed(served, calls)]));
  const anyMethod = handlers.get(ANY_METHOD);
  return anyMethod ? { ...target, methods: new Map(), anyMethod } : { ...target, methods: handlers };
}

function exposed(served: readonly ServedHandler[], calls: HandlerCalls): RpcHandler {
  const expected = served.flatMap(({ callback }) => expectedClasses(callback.extras));
  return expose(expectedExceptions(handlerOf(served, calls), ...expected));
}

function handlerOf(served: readonly ServedHandler[], calls: HandlerCalls): RpcHandler {
  const [only] = served;
  const isMulticall = served.some(({ isEvent, pattern }) => !isEvent && pattern.multicall);
  if (isMulticall) return sendingHandler((_args, request, send) => callAll(served, request, calls, send));
  if (served.length > 1 || !only) return (_args, request) => callAll(served, request, calls);
  if (only.isEvent) return (_args, request) => calls.call(only.callback, request).then(() => null);
  return (_args, request) => calls.call(only.callback, request);
}

/** Each runs, whatever becomes of the others; the first failure is told, of results only the answer. */
async function callAll(
  served: readonly ServedHandler[],
  request: IncomingRequest,
  calls: HandlerCalls,
  send?: SendValue,
): Promise<unknown> {
  const outcomes = await Promise.allSettled(
    served.map(({ callback, isEvent }) => calls.call(callback, request, isEvent ? undefined : send)),
  );
  const [failure, ...further] = outcomes.filter((outcome) => outcome.status === 'rejected');
  for (const { reason } of further) calls.reportFurther(reason, request);
  if (failure) throw failure.reason;
  const answer = outcomes[served.findIndex(({ isEvent }) => !isEvent)];
  return answer?.status === 'fulfilled' ? answer.value : null;
}
