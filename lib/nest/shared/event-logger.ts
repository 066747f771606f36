import type { LoggerService } from '@nestjs/common';
import type { EventChannel } from '../../events/event-channel.js';
import { LogFlood } from '../../events/log-flood.js';
import type { MessagingEvent } from '../../events/messaging-event.js';

/** All who share a connection hear of it; once is enough. */
const written = new WeakSet<MessagingEvent>();

/**
 * Writes what is reported to Nest's log, at each event's level; secrets are masked in it already. Errors
 * that the log has already are but a line for debugging.
 */
export function logEvents(
  channel: EventChannel,
  logger: LoggerService,
  isLogged: (error: unknown) => boolean = () => false,
): void {
  const flood = new LogFlood((line) => logger.warn(line));
  channel.subscribe((event) => {
    if (written.has(event)) return;
    written.add(event);
    if (!flood.admits(event)) return;
    const { error, level, message } = event;
    if (level === 'debug' || isLogged(error)) logger.debug?.(message);
    else logger[level](message);
  });
}
