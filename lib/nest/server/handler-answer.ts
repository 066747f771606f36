import { concatMap, isObservable, lastValueFrom, materialize, merge, Observable, takeWhile, tap } from 'rxjs';
import { sendEach, type SendValue } from '../../rpc/server/multicall.js';
import { witnessedError } from './errors/error-keeper.filter.js';
import { keepError } from './errors/kept-errors.js';
import type { OsloRpcContext } from './oslo-rpc.context.js';

/** How the end of a handler is told. */
export interface HandlerEnds {
  settle(answer: unknown): void;
  fail(error: unknown): void;
}

/** Tells the answer that a handler's result holds; with `send` each of its values is sent before. */
export function tellAnswer(
  result: unknown,
  context: OsloRpcContext,
  ends: HandlerEnds,
  send: SendValue | undefined,
): Promise<void> | void {
  if (send) return sendAll(result, context, send).then(() => ends.settle(null), ends.fail);
  return isObservable(result) ? lastOf(result, context, ends) : ends.settle(result);
}

/** The answer of a stream: its last value. */
function lastOf(stream: Observable<unknown>, context: OsloRpcContext, ends: HandlerEnds): Promise<void> {
  return new Promise((ended) => {
    let last: unknown = null;
    stream.subscribe({
      next: (value) => void (last = value),
      error: (thrown: unknown) => {
        keepWitnessed(context);
        ends.fail(thrown);
        ended();
      },
      complete: () => {
        ends.settle(last);
        ended();
      },
    });
  });
}

/** A stream is left when its request is aborted, or its caller cannot be reached. */
async function sendAll(result: unknown, context: OsloRpcContext, send: SendValue): Promise<unknown> {
  if (!isObservable(result)) return sendEach(result, send);
  const sent = result.pipe(
    tap({ error: () => keepWitnessed(context) }),
    // What was emitted before an error is sent before it.
    materialize(),
    concatMap(async (notification) => {
      if (notification.kind === 'E') throw notification.error;
      return notification.kind === 'N' && (await sendEach(notification.value, send));
    }),
  );
  return lastValueFrom(merge(sent, abortionOf(context.signal)).pipe(takeWhile(Boolean)), { defaultValue: null });
}

/** How a stream failed is known in that moment, whatever filters have made of it. */
function keepWitnessed(context: OsloRpcContext): void {
  const witnessed = witnessedError();
  if (witnessed) keepError(context, witnessed.error);
}

function abortionOf(signal: AbortSignal): Observable<never> {
  return new Observable((observer) => {
    const abort = (): void => observer.error(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    return () => signal.removeEventListener('abort', abort);
  });
}
