import type { MessageBroker } from '../../../broker/broker.js';
import type { OutgoingReply } from './outgoing-reply.js';

/** Of what may be in flight: handlers that run already will add theirs. */
const NEARLY_FULL = 0.5;

/** Answers that were handed to the broker and have no outcome yet. While they do not leave, no further call is to be taken. */
export class ReplyBacklog {
  private answers = 0;
  private length = 0;
  private whenRoom: (() => void) | undefined;

  constructor(private readonly broker: MessageBroker) {}

  /** True when an answer to a call that is taken now could leave. */
  get hasRoom(): boolean {
    const { maxInFlightBytes, maxInFlightMessages } = this.broker.options;
    return (
      this.broker.state === 'connected' &&
      this.answers < maxInFlightMessages * NEARLY_FULL &&
      // Text and encoded form, at least.
      this.length * 2 < maxInFlightBytes * NEARLY_FULL
    );
  }

  /** Calls once, when an answer has left. */
  awaitRoom(whenRoom: () => void): void {
    this.whenRoom = whenRoom;
  }

  add({ reply: { body } }: OutgoingReply): void {
    this.answers += 1;
    this.length += body.length;
  }

  remove({ reply: { body } }: OutgoingReply): void {
    this.answers -= 1;
    this.length -= body.length;
    const told = this.whenRoom;
    this.whenRoom = undefined;
    told?.();
  }
}
