import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';
import { keepError } from './kept-errors.js';
import { OsloRpcContext } from '../oslo-rpc.context.js';
import { inCurrentContext } from '../../shared/request-context.store.js';

/**
 * Remembers what a handler threw, for Nest's default filter turns all but `RpcException` into
 * "Internal server error" before a transport sees it, and so do filters that end with it. Passes
 * everything on unchanged.
 */
export class ErrorKeeperInterceptor implements NestInterceptor {
  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const context: unknown = execution.getType() === 'rpc' ? execution.switchToRpc().getContext() : undefined;
    if (!(context instanceof OsloRpcContext)) return next.handle();
    return new Observable((observer) => {
      // A stream may fail in the name of nobody, or of somebody else: the filters ask in whose.
      const fail = inCurrentContext((error: unknown) => {
        keepError(context, error);
        observer.error(error);
      });
      return next
        .handle()
        .subscribe({ next: (value) => observer.next(value), error: fail, complete: () => observer.complete() });
    });
  }
}
