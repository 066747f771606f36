import { hostname } from 'node:os';
import type { Delivery, MessageBroker, Subscription } from '../../broker/broker.js';
import { newUniqueId } from '../../wire/message-id.js';
import type { BindingDeclaration, QueueDeclaration } from '../../wire/topology.js';

/** Queues of taps, of everybody's: what is traced of them is left out. */
export const TAP_PREFIX = 'oslo-bus.';

/** Messages that a tap's queue holds at most, and bytes; the oldest go first. */
export const TAP_QUEUE_LENGTH = 20_000;
const QUEUE_BYTES = 64 * 1024 * 1024;
/** A queue that nobody reads any more, as its connection fell silent. */
const EXPIRES_MS = 60_000;
const PREFETCH = 2_000;
const STARTUP_MS = 10_000;

/**
 * A queue of one's own that never holds up who publishes: bounded, and the oldest messages make room (`reject-publish` would
 * nack the publisher). It goes with its connection.
 */
export function tapQueue(purpose: string): QueueDeclaration {
  return {
    kind: 'queue',
    name: `${TAP_PREFIX}${purpose}.${hostname().slice(0, 60)}.${process.pid}.${newUniqueId().slice(0, 8)}`,
    durable: false,
    autoDelete: false,
    exclusive: true,
    arguments: {
      'x-max-length': TAP_QUEUE_LENGTH,
      'x-max-length-bytes': QUEUE_BYTES,
      'x-overflow': 'drop-head',
      'x-expires': EXPIRES_MS,
    },
  };
}

/**
 * Whether a queue of ours drops messages, or is about to: until its length is seen, as many may have been handed over as one
 * prefetch holds. `meanBytes`: of the bodies that it has held.
 */
export function isNearlyFull(messages: number, meanBytes: number): boolean {
  const held = messages + PREFETCH;
  return held >= TAP_QUEUE_LENGTH || (messages > 0 && held * meanBytes >= QUEUE_BYTES);
}

/** A tap's queue that is being read. */
export interface OpenTapQueue {
  readonly queue: string;
  readonly subscription: Subscription;
  close(): Promise<void>;
}

/**
 * Binds a queue of one's own and reads it; each delivery is settled as soon as it is handed over.
 *
 * @throws MessageDeliveryFailure not allowed, or no such exchange, or not within 10 s
 */
export async function openTapQueue(
  broker: MessageBroker,
  purpose: string,
  bindings: readonly Pick<BindingDeclaration, 'exchange' | 'routingKey'>[],
  take: (deliveries: readonly Delivery[]) => void,
): Promise<OpenTapQueue> {
  const declaration = tapQueue(purpose);
  const { name: queue } = declaration;
  const subscription = await broker.consume({
    topology: [declaration, ...bindings.map((one) => ({ kind: 'binding' as const, queue, ...one }))],
    queues: [queue],
    prefetch: PREFETCH,
    settledAtOnce: true,
    giveUpMs: STARTUP_MS,
    onDeliveries: (deliveries) => {
      take(deliveries);
      for (const delivery of deliveries) delivery.ack();
    },
  });
  return { queue, subscription, close: () => end(broker, queue, subscription) };
}

async function end(broker: MessageBroker, queue: string, subscription: Subscription): Promise<void> {
  await subscription.close();
  // Without a connection there is no queue of it either.
  if (broker.state !== 'connecting') await broker.deleteQueue(queue).catch(() => undefined);
}
