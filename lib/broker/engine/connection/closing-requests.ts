import { PreconditionFailed } from '../../../errors/delivery.errors.js';
import { ReplyCode } from '../../link.js';
import { isFinal, remedyFor } from '../../refusal-words.js';
import { replyCode, replyText } from './reply-codes.js';

/** The broker ends a connection with these over what was asked on it, but for other reasons too. */
const closingCodes: ReadonlySet<number | undefined> = new Set([
  ReplyCode.notAllowed,
  ReplyCode.notImplemented,
  ReplyCode.internalError,
]);
/** So often in a row it may be passing trouble of the broker. */
const forgivenTimes = 2;
/** Asking again costs the connection again, and all that is under way on it. */
const rememberedMs = 30_000;

/** Something to ask of the broker, about the exchange or queue `name`. */
export interface ClosingRequest {
  readonly name: string;
  /** In words, as a key. */
  readonly what: string;
}

/** One connection; `endedBy`: why it has ended. */
export interface AskedConnection {
  readonly host: string;
  readonly endedBy: Error | undefined;
}

/**
 * Requests over which the broker closes the whole connection. RabbitMQ refuses so what it does not support, as 4.3 does
 * with queues that are neither durable nor exclusive. Such an end is a refusal where its words say so, or when the same
 * request is answered with it again and again. To blame is what was asked and not answered, not what still waited.
 */
export class ClosingRequests {
  private readonly times = new Map<string, number>();

  private readonly refused = new Map<string, { text: string; until: number }>();
  /** How many are asked and not answered. */
  private readonly asked = new WeakMap<AskedConnection, number>();

  /** @throws PreconditionFailed the broker has refused it a moment ago */
  requirePermitted({ name, what }: ClosingRequest): void {
    const refusal = this.refused.get(what);
    if (!refusal) return;
    if (refusal.until > performance.now()) throw refusalFor(name, refusal.text);
    this.refused.delete(what);
  }

  /** @throws PreconditionFailed the broker closes the connection over it */
  async ask(request: ClosingRequest, connection: AskedConnection, write: () => Promise<void>): Promise<void> {
    // It fails by itself, and has not ended anything.
    if (connection.endedBy) return write();
    this.count(connection, 1);
    try {
      await write();
      this.count(connection, -1);
      if (this.times.size > 0) this.times.delete(request.what);
    } catch (error) {
      if (connection.endedBy) this.throwIfRefused(request, connection, connection.endedBy);
      else this.count(connection, -1);
      throw error;
    }
  }

  private count(connection: AskedConnection, difference: number): void {
    this.asked.set(connection, (this.asked.get(connection) ?? 0) + difference);
  }

  private throwIfRefused({ name, what }: ClosingRequest, connection: AskedConnection, end: Error): void {
    if (!closingCodes.has(replyCode(end))) return;
    const times = (this.times.get(what) ?? 0) + 1;
    this.times.set(what, times);
    const text = replyText(end);
    // The words do not say which of several they are about.
    const isMeant = this.asked.get(connection) === 1 && isFinal(text);
    if (!isMeant && times <= forgivenTimes) return;
    this.refused.set(what, { text, until: performance.now() + rememberedMs });
    throw refusalFor(name, text, end);
  }
}

function refusalFor(name: string, text: string, cause?: Error): PreconditionFailed {
  return new PreconditionFailed(name, `${text}${remedyFor(text)}`, { cause });
}
