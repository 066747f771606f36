import { MessageUndeliverable } from '../errors/delivery.errors.js';
import type { EventChannel } from '../events/event-channel.js';
import type { OutgoingMessage } from './broker.js';

/** A message that has not been settled. */
interface UnsettledMessage {
  readonly message: OutgoingMessage;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  resolve(): void;
  reject(error: Error): void;
  timeOut(now: number): void;
}

/** No queue takes it, and none ever did: in time it is dropped, as a broker drops it; at its deadline its sender is told. */
export function dropUnrouted(pending: UnsettledMessage): void {
  const now = performance.now();
  if (pending.deadline <= now) pending.timeOut(now);
  else pending.resolve();
}

/** Its queue, which was there once, was awaited in vain. */
export function failUnrouted(pending: UnsettledMessage, events: EventChannel): void {
  const now = performance.now();
  if (pending.deadline <= now) return pending.timeOut(now);
  const { exchange, routingKey } = pending.message;
  const message = `No queue takes a message any more: exchange '${exchange}', routing key '${routingKey}'`;
  events.emit({ type: 'message-unrouted', level: 'warn', message, exchange, routingKey });
  pending.reject(new MessageUndeliverable(exchange, routingKey));
}

/** Its confirm was lost with its connection. */
export function reportRepublished({ exchange, routingKey }: OutgoingMessage, events: EventChannel): void {
  const message = `Published again, its confirm was lost: exchange '${exchange}', routing key '${routingKey}'`;
  events.emit({ type: 'message-republished', level: 'warn', message, exchange, routingKey });
}
