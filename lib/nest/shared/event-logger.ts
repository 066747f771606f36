import type { LoggerService } from '@nestjs/common';
import type { EventChannel } from '../../events/event-channel.js';
import { LogFlood } from '../../events/log-flood.js';
import type { EventLevel, MessagingEvent } from '../../events/messaging-event.js';

/** All who share a connection hear of it; once is enough. */
const written = new WeakSet<MessagingEvent>();

/**
 * Writes what is reported to Nest's log, at each event's level; secrets are masked in it already. Errors
 * that the log has already are but a line for debugging: `levelOf` says at which level an error is, where that is not its event's.
 */
export function logEvents(
  channel: EventChannel,
  logger: LoggerService,
  levelOf: (error: unknown) => EventLevel | undefined = () => undefined,
): void {
  const flood = new LogFlood((line) => logger.warn(line));
  channel.subscribe((event) => {
    if (written.has(event)) return;
    written.add(event);
    if (!flood.admits(event)) return;
    const { error, message } = event;
    const level = event.level === 'debug' ? 'debug' : (levelOf(error) ?? event.level);
    if (level === 'debug') logger.debug?.(message);
    else logger[level](message);
  });
}
