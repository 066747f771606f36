import { IntrinsicException } from '@nestjs/common';
import { ExternalErrorProxy } from '@nestjs/core/helpers/external-proxy.js';

const logged = new WeakSet<object>();

/** Whether Nest has written it to its log, as it does with what no filter of a listener takes. */
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
      const answer: unknown = invokeFilters(error, host);
      // No filter, or one that answers nothing: then the default one is asked, too.
      if ((answer ?? undefined) === undefined && isLoggable(error)) logged.add(error);
      return answer;
    },
  });
}

function isLoggable(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof IntrinsicException);
}
