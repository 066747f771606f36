import { Catch, type ExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { expectedClasses } from './expected-exceptions.decorator.js';
import { keepError } from './kept-errors.js';
import { runningRequest } from './running-request.js';

/**
 * What no filter of the handler or its controller takes. Nest asks each filter in turn whether an error is
 * an instance of its classes: so this one sees the errors of guards, of global interceptors and of
 * request-scoped providers, which no interceptor of the controller sees, and leaves them to the next filter.
 */
abstract class Unclaimed {
  static [Symbol.hasInstance](error: unknown): boolean {
    const request = runningRequest();
    if (!request) return false;
    keepError(request.context, error);
    return expectedClasses(request.handler.extras).some((type) => error instanceof type);
  }
}

/** Hands expected errors on, past Nest's default filter, which would log them. */
@Catch(Unclaimed as never)
export class ErrorKeeperFilter implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}
