import type { BrokerState } from '../../broker/broker.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { MessagingEvent } from '../../events/messaging-event.js';

/**
 * What `on()` of server and client knows: the reported events by their `type`.
 *
 * @publicApi
 */
export type OsloEvents = { [Type in MessagingEvent['type']]: (event: Extract<MessagingEvent, { type: Type }>) => void };

/**
 * What `status` of the server shows. `blocked`: connected, but the broker has stopped reading what is published.
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
