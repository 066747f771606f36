import { ForbiddenException, HttpException, UnauthorizedException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import type { EventLevel } from '../../../events/messaging-event.js';
import type { EventChannel } from '../../../events/event-channel.js';
import type { IncomingRequest } from '../../../rpc/server/incoming-request.js';
import { describeRequest, requestFacts } from '../../../rpc/request-facts.js';
import { textWithCause } from '../../../errors/text-of.js';
import { shown } from '../../../wire/shown.js';
import { keptError } from './kept-errors.js';
import type { OsloRpcContext } from '../oslo-rpc.context.js';
import { FORBIDDEN, isUnknownError, toDescribable } from './rpc-exception.mapper.js';

const REMEDY =
  "Nest's default filter turned an error into 'Internal server error', so callers do not learn its class: " +
  'import OsloRpcModule.forRoot() into the application, or make the controller an @OsloEndpoint()';

/** Finds out what really failed when a Nest pipeline ended with an error. */
export class HandlerFailures {
  private reported = false;
  private readonly levels = new WeakMap<object, EventLevel>();

  constructor(private readonly events: EventChannel) {}

  /** The result of a user's own filter wins over the error that the handler threw. */
  errorOf(thrown: unknown, context: OsloRpcContext): unknown {
    const kept = keptError(context);
    if (!isUnknownError(thrown))
      return this.noteLevel(toDescribable(thrown), isRefusal(kept?.error) ? 'warn' : undefined);
    if (!kept) this.reportLost(context);
    const error = asObject(toDescribable(kept ? kept.error : thrown));
    return this.noteLevel(error, levelOf(kept?.error));
  }

  /** The level of this failure in the log, where it is not that of its event: Nest has written it, or it is no failure. */
  levelOf(error: unknown): EventLevel | undefined {
    return typeof error === 'object' && error !== null ? this.levels.get(error) : undefined;
  }

  private noteLevel(error: unknown, level: EventLevel | undefined): unknown {
    if (level && typeof error === 'object' && error !== null) this.levels.set(error, level);
    return error;
  }

  /** The caller is told one failure; those of other handlers of the same event are only reported. */
  reportFurther(error: unknown, request: IncomingRequest): void {
    const message = `Another handler of ${describeRequest(request)} failed: ${shown(textWithCause(error), 1000)}`;
    const facts = { ...requestFacts(request), isCall: request.isCall, expected: false };
    this.events.emit({ type: 'handler-failed', level: 'error', message, error, ...facts });
  }

  private reportLost({ method }: OsloRpcContext): void {
    if (this.reported) return;
    this.reported = true;
    this.events.emit({ type: 'error-class-lost', level: 'warn', message: `${shown(method)} failed. ${REMEDY}` });
  }
}

/** Nest's default filter writes all but `HttpException`s to the log. */
function levelOf(error: unknown): EventLevel {
  if (isRefusal(error)) return 'warn';
  return error instanceof HttpException && error.getStatus() >= 500 ? 'error' : 'debug';
}

/** A guard lets nobody in, or somebody else who asks for credentials and rights. */
function isRefusal(error: unknown): boolean {
  if (error instanceof ForbiddenException || error instanceof UnauthorizedException) return true;
  if (!(error instanceof RpcException)) return false;
  return error.message === FORBIDDEN || /^\s+at (?:async )?\S*\bcanActivate\b/m.test(error.stack ?? '');
}

/** A thrown value that is no error, as one: of text alone nobody could say whether it is in the log. */
function asObject(thrown: unknown): object {
  if (typeof thrown === 'object' && thrown !== null) return thrown;
  const error = new Error(textWithCause(thrown));
  error.stack = undefined;
  return error;
}
