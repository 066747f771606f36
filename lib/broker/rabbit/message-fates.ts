import type { EventChannel } from '../../events/event-channel.js';
import type { OutgoingMessage } from '../broker.js';
import type { PendingMessage } from './pending-message.js';

/** No queue takes it: in time it is dropped, as a broker drops it; at its deadline its sender is told. */
export function dropUntaken(pending: PendingMessage): void {
  const now = performance.now();
  if (pending.deadline <= now) pending.timeOut(now);
  else pending.resolve();
}

/** Nobody waits any longer for its queue, which was there once. */
export function dropAwaited(pending: PendingMessage, events: EventChannel): void {
  dropUntaken(pending);
  if (pending.deadline <= performance.now()) return;
  const { exchange, routingKey } = pending.message;
  const message = `No queue takes a message any more: exchange '${exchange}', routing key '${routingKey}'`;
  events.emit({ type: 'message-unrouted', level: 'warn', message, exchange, routingKey });
}

/** Its confirm was lost with its connection. */
export function reportRepublished({ exchange, routingKey }: OutgoingMessage, events: EventChannel): void {
  const message = `Published again, its confirm was lost: exchange '${exchange}', routing key '${routingKey}'`;
  events.emit({ type: 'message-republished', level: 'warn', message, exchange, routingKey });
}
