import type { EventChannel } from '../../events/event-channel.js';
import { replyText } from './amqp-reply.js';

/** Callbacks of consumers promise not to throw; thrown on, it would cost the connection. */
export function guarded(events: EventChannel, queues: readonly string[], callback: () => void): void {
  try {
    callback();
  } catch (error) {
    const queue = queues.join(', ');
    const message = `Taking deliveries of ${queue} failed: ${replyText(error)}`;
    events.emit({ type: 'message-rejected', level: 'error', message, queue, error });
  }
}
