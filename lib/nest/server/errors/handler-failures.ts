import type { EventChannel } from '../../../events/event-channel.js';
import type { IncomingRequest } from '../../../rpc/server/incoming-request.js';
import { textWithCause } from '../../../errors/text-of.js';
import { shown } from '../../../wire/shown.js';
import { keptError } from './kept-errors.js';
import type { OsloRpcContext } from '../oslo-rpc.context.js';
import { isUnknownError, toDescribable } from './rpc-exception.mapper.js';

const REMEDY =
  "Nest's default filter turned an error into 'Internal server error', so callers do not learn its class: " +
  'import OsloRpcModule.forRoot() into the application, or make the controller an @OsloEndpoint()';

/** Finds out what really failed when a Nest pipeline ended with an error. */
export class HandlerFailures {
  private reported = false;
  private readonly loggedByNest = new WeakSet<object>();

  constructor(private readonly events: EventChannel) {}

  /** The result of a user's own filter wins over the error that the handler threw. */
  errorOf(thrown: unknown, context: OsloRpcContext): unknown {
    if (!isUnknownError(thrown)) return toDescribable(thrown);
    const kept = keptError(context);
    if (!kept) this.reportLost(context);
    const error = asObject(toDescribable(kept ? kept.error : thrown));
    this.loggedByNest.add(error);
    return error;
  }

  /** True when Nest's default filter has written this failure to the log. */
  isLogged(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.loggedByNest.has(error);
  }

  /** The caller is told one failure; those of other handlers of the same event are only reported. */
  reportFurther(error: unknown, { method, namespace, isCall }: IncomingRequest): void {
    const message = `Another handler of ${shown(method)} failed: ${shown(textWithCause(error), 1000)}`;
    const facts = { method, namespace: namespace ?? undefined, isCall, expected: false };
    this.events.emit({ type: 'handler-failed', level: 'error', message, error, ...facts });
  }

  private reportLost({ method }: OsloRpcContext): void {
    if (this.reported) return;
    this.reported = true;
    this.events.emit({ type: 'error-class-lost', level: 'warn', message: `${shown(method)} failed. ${REMEDY}` });
  }
}

/** A thrown value that is no error, as one: of text alone nobody could say whether it is in the log. */
function asObject(thrown: unknown): object {
  if (typeof thrown === 'object' && thrown !== null) return thrown;
  const error = new Error(textWithCause(thrown));
  error.stack = undefined;
  return error;
}
