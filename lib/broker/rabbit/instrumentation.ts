import { AsyncLocalStorage } from 'node:async_hooks';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { InContext } from '../../events/handler-scope.js';

/** Those whose frames we write ourselves otherwise, and what they are made of. */
const verbs = ['publish', 'ack', 'nack', 'reject', 'sendMessage', 'sendImmediately'];

/**
 * An instrumentation such as OpenTelemetry's wraps amqplib's methods, and sees only what goes through them. It is there before
 * amqplib is loaded, and is found with the first channel.
 */
export class Instrumentation {
  private state: 'absent' | 'present' | 'unknown' = 'unknown';

  /** False once it is known that nothing is wrapped. */
  get mayLook(): boolean {
    return this.state !== 'absent';
  }

  /** True when something that a channel does is wrapped. */
  looksAt(channel: Channel): boolean {
    const methods = channel as unknown as Record<string, unknown>;
    const isWrapped = verbs.some((verb) => isMarked(methods[verb]));
    this.state = isWrapped ? 'present' : 'absent';
    return isWrapped;
  }
}

/** As shimmer marks each function that it has wrapped, and OpenTelemetry's own copy of it. */
function isMarked(method: unknown): boolean {
  return typeof method === 'function' && '__wrapped' in method && method.__wrapped === true;
}

/** The deliveries of a channel as an instrumentation sees them: it knows each message by identity, and ends its span when that is settled. */
export class SeenDeliveries {
  /** By delivery tag, which grows. */
  private readonly unsettled = new Map<number, ConsumeMessage>();
  /** What one message leads to must not carry its span to the others. */
  private readonly inOwnContext: InContext = AsyncLocalStorage.snapshot();

  /** Called in the context that a message was given; returns what runs its handler there. */
  keep(message: ConsumeMessage): InContext {
    this.unsettled.set(message.fields.deliveryTag, message);
    return AsyncLocalStorage.snapshot();
  }

  outside(run: () => void): void {
    this.inOwnContext(run);
  }

  /** `multiple`: it is settled together with all before it. Undefined: it was settled before. */
  settle(deliveryTag: number, multiple: boolean): ConsumeMessage | undefined {
    const message = this.unsettled.get(deliveryTag);
    this.unsettled.delete(deliveryTag);
    if (!multiple) return message;
    for (const older of this.unsettled.keys()) {
      if (older > deliveryTag) break;
      this.unsettled.delete(older);
    }
    return message;
  }

  clear(): void {
    this.unsettled.clear();
  }
}
