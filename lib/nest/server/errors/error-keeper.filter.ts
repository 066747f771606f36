import { Catch, type ExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { expectedClasses } from '../expected-exceptions.decorator.js';
import { keepError } from './kept-errors.js';
import { runningRequest } from '../running-request.js';

/**
 * Nest asks each filter in turn whether an error is an instance of its classes, those of the method first:
 * so this one sees the errors of guards, of global interceptors and of request-scoped providers, too,
 * which no interceptor of the controller sees, and leaves them to the next filter.
 */
abstract class Witnessed {
  static [Symbol.hasInstance](error: unknown): boolean {
    const request = runningRequest();
    if (request) keepError(request.context, error);
    return false;
  }
}

/** Remembers each error before the first filter takes it, and takes none. */
@Catch(Witnessed as never)
export class ErrorWitnessFilter implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** An exception that a handler expects, and that no filter of it or its controller takes. */
abstract class UnclaimedExpected {
  static [Symbol.hasInstance](error: unknown): boolean {
    const request = runningRequest();
    return expectedClasses(request?.handler.extras).some((type) => error instanceof type);
  }
}

/** Hands expected errors on, past Nest's default filter, which would log them. */
@Catch(UnclaimedExpected as never)
export class ExpectedErrorFilter implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}
