import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import type { InFlightLoads, MessagePurpose, OutgoingMessage } from '../broker.js';

export type InFlightLimits = Pick<ResolvedRabbitOptions, 'maxInFlightBytes' | 'maxInFlightMessages'>;

/** Messages that wait for their outcome. */
interface Load {
  messages: number;
  bytes: number;
}

/** A promise, its callbacks and the records of a message that waits. */
const overheadBytes = 1024;

/**
 * Messages that were given to `publish` and have no outcome yet: bounded, so that an outage does not fill the memory; per
 * purpose, so that a burst of one does not starve another.
 */
export class InFlight {
  private readonly counted: Readonly<Record<Exclude<MessagePurpose, 'owed'>, Load>> = {
    notification: { messages: 0, bytes: 0 },
    request: { messages: 0, bytes: 0 },
  };

  constructor(private readonly limits: InFlightLimits) {}

  get loads(): InFlightLoads {
    return this.counted;
  }

  /** Why one more is too many; undefined: it may come. */
  refusalOf(message: OutgoingMessage): MessageDeliveryFailure | undefined {
    const { purpose = 'request' } = message;
    if (purpose === 'owed') return undefined;
    const { maxInFlightBytes, maxInFlightMessages } = this.limits;
    const { messages, bytes } = this.counted[purpose];
    if (messages >= maxInFlightMessages) {
      return new MessageDeliveryFailure(`${messages} messages are unconfirmed already (maxInFlightMessages)`, message);
    }
    if (bytes >= maxInFlightBytes) {
      return new MessageDeliveryFailure(
        `${bytes} bytes are held for unconfirmed messages already (maxInFlightBytes)`,
        message,
      );
    }
    return undefined;
  }

  /** Returns the bytes to be given back, with `release`, when the message has its outcome. */
  add({ body, purpose = 'request' }: OutgoingMessage): number {
    if (purpose === 'owed') return 0;
    const load = this.counted[purpose];
    const bytes = costOf(body);
    load.messages += 1;
    load.bytes += bytes;
    return bytes;
  }

  release({ purpose = 'request' }: OutgoingMessage, bytes: number): void {
    if (purpose === 'owed') return;
    const load = this.counted[purpose];
    load.messages -= 1;
    load.bytes -= bytes;
  }
}

/** The memory that a message takes: its text, two bytes a character unless all are ASCII, and its encoded form beside it. */
function costOf(body: string): number {
  const encoded = Buffer.byteLength(body);
  const text = encoded === body.length ? encoded : 2 * body.length;
  return overheadBytes + text + encoded;
}
