import { type Broker, seamOf } from '../../broker/broker.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { MemoryNotificationLog } from './memory-notification-log.js';
import { NotificationOutbox } from './notification-outbox.js';
import { resolveNotifierOptions, type NotifierOptions } from './notifier-options.js';
import { PreparedNotifier } from './prepared-notifier.js';

/**
 * Sends notifications, without Nest. Mirrors `oslo_messaging.Notifier`.
 *
 * @example
 * ```ts
 * const broker = await connectBroker('rabbit://guest:guest@127.0.0.1:5672/');
 * const notifier = new NotifierCore(broker, { publisherId: 'compute.host1', exchange: 'nova' });
 * await notifier.info('compute.instance.create.end', { instance_id: 'i-1' });
 * // a listener, here or in Python, takes it from the queue notifications.info
 * await notifier.close();
 * await broker.close();
 * ```
 *
 * @publicApi
 */
export class NotifierCore extends PreparedNotifier {
  /**
   * `broker` may be absent where no driver needs one.
   *
   * @throws ConfigurationError
   */
  constructor(broker: Broker | undefined, options: NotifierOptions = {}) {
    const resolved = resolveNotifierOptions(options);
    super(new NotificationOutbox(broker && seamOf(broker), resolved), resolved);
  }

  /** Everything that this notifier reports, and its broker. */
  get events(): EventChannel {
    return this.outbox.events;
  }

  /** The notifications that the driver `test` has kept. */
  get testLog(): MemoryNotificationLog {
    return this.outbox.options.testLog;
  }

  /** Notifications that are not out yet. */
  get pending(): number {
    return this.outbox.pending;
  }

  /** Resolves when what was sent so far is out, or given up. Never rejects. */
  flushed(): Promise<void> {
    return this.outbox.flushed();
  }

  /**
   * Everything that is not out yet goes out first, for 5 s at most, while the broker is connected; the rest, and what comes, rejects
   * with `ClosedError`. The broker stays open. Idempotent.
   */
  close(): Promise<void> {
    return this.outbox.flushAndClose();
  }
}
