import { IntrinsicException } from '@nestjs/common';
import { ExternalErrorProxy } from '@nestjs/core/helpers/external-proxy.js';

const logged = new WeakSet<object>();

/** True when Nest has written it to its log, as it does with what no filter of a listener takes. */
export function isLoggedByNest(error: unknown): boolean {
  return typeof error === 'object' && error !== null && logged.has(error);
}

type Handler = Parameters<ExternalErrorProxy['createProxy']>[1];

/** Nest's, which notes what comes to the default filter, and so into the log; not what another filter throws. */
export class NotingErrorProxy extends ExternalErrorProxy {
  override createProxy: ExternalErrorProxy['createProxy'] = (target, handler, type) =>
    super.createProxy(target, noting(handler), type);
}

/** The handler is made for one listener. */
function noting(handler: Handler): Handler {
  const invokeFilters = handler.invokeCustomFilters.bind(handler);
  return Object.assign(handler, {
    invokeCustomFilters: (error: unknown, host: Parameters<Handler['next']>[1]) => {
      const answer = answerOf(() => invokeFilters(error, host) as unknown, error);
      // No filter, or one that answers nothing: then the default one is asked, too.
      if ((answer ?? undefined) === undefined && isLoggable(error)) logged.add(error);
      return answer;
    },
  });
}

function answerOf(filters: () => unknown, error: unknown): unknown {
  try {
    const answer = filters();
    if (answer instanceof Promise) void answer.then(undefined, (failure: unknown) => addCause(failure, error));
    return answer;
  } catch (failure) {
    addCause(failure, error);
    throw failure;
  }
}

/** A filter made for HTTP fails over what it cannot answer, and what it was to answer would be lost. */
function addCause(failure: unknown, cause: unknown): void {
  if (failure instanceof Error && failure !== cause && failure.cause === undefined) failure.cause = cause;
}

function isLoggable(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof IntrinsicException);
}
