import type { BrokerState } from '../../broker/broker.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { MessagingEvent } from '../../events/messaging-event.js';

/**
 * The events of `on()` of server and client: the reported events by their `type`.
 *
 * @publicApi
 */
export type OsloEvents = { [Type in MessagingEvent['type']]: (event: Extract<MessagingEvent, { type: Type }>) => void };

/**
 * The states of the server's `status`. `blocked`: connected, but the broker has stopped reading what is published.
 *
 * @publicApi
 */
export type OsloStatus = BrokerState;

/** Calls `listener` with the events of one type. */
export function listenTo(channel: EventChannel, type: PropertyKey, listener: (event: never) => void): void {
  channel.subscribe((event) => {
    if (event.type === type) (listener as (event: MessagingEvent) => void)(event);
  });
}
