import { AsyncLocalStorage } from 'node:async_hooks';
import type { MessageHandler } from '@nestjs/microservices';
import type { OsloRpcContext } from './oslo-rpc.context.js';

/** One handler at work on one request. */
export interface RunningRequest {
  readonly context: OsloRpcContext;
  readonly handler: MessageHandler;
  /** The bus that it came by. */
  readonly transport: string;
}

/** In whose name code runs: that of a request, with its own context or another one, or of a context alone. */
export interface AmbientContext extends Partial<RunningRequest> {
  readonly requestContext: object;
}

export const ambientContext = new AsyncLocalStorage<AmbientContext | undefined>();

/** Runs `work` so that all it calls, also later, finds the request and its context. */
export function runRequest<T>({ context, handler, transport }: RunningRequest, work: () => T): T {
  return ambientContext.run({ context, handler, transport, requestContext: context.requestContext }, work);
}

/** The request that the calling code works for, if it is one of ours. */
export function runningRequest(): Pick<RunningRequest, 'context' | 'handler'> | undefined {
  const ambient = ambientContext.getStore();
  return ambient?.context && ambient.handler ? (ambient as RunningRequest) : undefined;
}
