import type { ResolvedRabbitOptions } from '../config/rabbit-options.js';
import { MessageDeliveryFailure } from '../errors/delivery.errors.js';
import type { OutgoingMessage } from './broker.js';

export type InFlightLimits = Pick<ResolvedRabbitOptions, 'maxInFlightBytes' | 'maxInFlightMessages'>;

/** What was given to `publish` and has no outcome yet: bounded, so that an outage does not fill the memory. */
export class InFlight {
  private messages = 0;
  private bytes = 0;

  constructor(private readonly limits: InFlightLimits) {}

  /** Why one more is too many; undefined: it may come. */
  refusalOf(message: OutgoingMessage): MessageDeliveryFailure | undefined {
    const { maxInFlightBytes, maxInFlightMessages } = this.limits;
    if (this.messages >= maxInFlightMessages) {
      return new MessageDeliveryFailure(
        `${this.messages} messages are unconfirmed already (maxInFlightMessages)`,
        message,
      );
    }
    if (this.bytes >= maxInFlightBytes) {
      return new MessageDeliveryFailure(`${this.bytes} bytes are unconfirmed already (maxInFlightBytes)`, message);
    }
    return undefined;
  }

  /** Returns what is to be called, once, when the message has its outcome. */
  add({ body }: OutgoingMessage): () => void {
    const size = Buffer.byteLength(body);
    this.messages += 1;
    this.bytes += size;
    return () => {
      this.messages -= 1;
      this.bytes -= size;
    };
  }
}
