import { isObservable, lastValueFrom } from 'rxjs';
import type { MessageHandler } from '@nestjs/microservices';
import type { OsloRpcContext } from './oslo-rpc.context.js';

/** What a handler answers: of a stream its last value, and `null` where it gives none. */
export async function resultOf(handler: MessageHandler, context: OsloRpcContext): Promise<unknown> {
  const result: unknown = await handler(context.args, context);
  const answer: unknown = isObservable(result) ? await lastValueFrom(result, { defaultValue: null }) : result;
  return answer ?? null;
}
