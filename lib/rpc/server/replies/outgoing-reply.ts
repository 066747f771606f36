import type { MalformedMessage } from '../../../errors/wire.errors.js';

/** One answer, ready to be sent. */
export interface OutgoingReply {
  readonly replyQueue: string;
  readonly msgId: string;
  readonly method: string;
  readonly body: string;
  /** On the clock of `performance.now()`: when the caller has given up at the latest. */
  readonly giveUpAt: number;
  /** The text to send in its place, once, where the broker takes nothing like it. */
  readonly instead: ((refusal: MalformedMessage) => string) | undefined;
  /** It has been confirmed before, and is no loss where it is not taken once more. */
  readonly again?: true;
}
