import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { catchError, type Observable } from 'rxjs';
import { keepError } from './kept-errors.js';
import { OsloRpcContext } from './oslo-rpc.context.js';

/**
 * Remembers what a handler threw, for Nest's default filter turns all but `RpcException` into
 * "Internal server error" before a transport sees it, and so do filters that end with it. Passes
 * everything on unchanged.
 */
export class ErrorKeeperInterceptor implements NestInterceptor {
  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const context: unknown = execution.getType() === 'rpc' ? execution.switchToRpc().getContext() : undefined;
    if (!(context instanceof OsloRpcContext)) return next.handle();
    return next.handle().pipe(
      catchError((error: unknown) => {
        keepError(context, error);
        throw error;
      }),
    );
  }
}
