import { Catch, type ExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { expectedClasses } from '../expected-exceptions.decorator.js';
import { keepError } from './kept-errors.js';
import { runningRequest } from '../running-request.js';

type Extras = Parameters<typeof expectedClasses>[0];

/** Nest asks one filter after the other in one go; a stream may fail in the name of nobody, or of somebody else. */
let asked: { readonly error: unknown; readonly extras: Extras } | undefined;

/** The error that filters are asked about right now, and for the rest of this turn. */
export function witnessedError(): { readonly error: unknown } | undefined {
  return asked;
}

function witness(error: unknown, extras: Extras): void {
  asked = { error, extras };
  queueMicrotask(() => (asked = undefined));
  const request = runningRequest();
  if (request) keepError(request.context, error);
}

/** Hands errors on. */
class PassingFilter implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/**
 * A filter that remembers each error of one method before the first filter takes it, and takes none: Nest's default
 * filter turns all but `RpcException` into "Internal server error" before a transport sees it, and so do filters that
 * end with it.
 *
 * Nest asks each filter in turn whether an error is an instance of its classes, those of the method first: so this one
 * sees the errors of handlers, guards, interceptors and request-scoped providers. No interceptor is needed, which would
 * cost more than all the rest of a call.
 */
export function witnessOf(extras: Extras): ExceptionFilter {
  abstract class Witnessed {
    static [Symbol.hasInstance](error: unknown): boolean {
      witness(error, extras);
      return false;
    }
  }
  class ErrorWitnessFilter extends PassingFilter {}
  Catch(Witnessed as never)(ErrorWitnessFilter);
  return new ErrorWitnessFilter();
}

/** An exception that a handler expects, and that no filter of it or its controller takes. */
abstract class UnclaimedExpected {
  static [Symbol.hasInstance](error: unknown): boolean {
    return expectedClasses(asked?.extras).some((type) => error instanceof type);
  }
}

/** Hands expected errors on, past Nest's default filter, which would log them. */
@Catch(UnclaimedExpected as never)
export class ExpectedErrorFilter extends PassingFilter {}
