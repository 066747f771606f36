import { IncomingNotification } from '../incoming-notification.js';
import type { HeldNotification } from '../held-notification.js';
import type { NotificationCounters } from '../listener-counters.js';
import type { DeadLetter, NotificationListenerOptions } from '../notification-listener-options.js';
import type { NotificationReports } from '../notification-reports.js';

/** The end of notifications that were requeued to the limit: in the user's hook, or in a report. */
export class DeadLetterDesk {
  constructor(
    private readonly hook: NotificationListenerOptions['onDeadLetter'],
    private readonly reports: NotificationReports,
    private readonly counters: NotificationCounters,
  ) {}

  /** `refused`: the hook has failed, and losing the notification is not for us to decide. */
  take(held: HeldNotification, taken: () => void, refused: () => void): void {
    if (!this.hook) return this.finish(held, false, taken);
    void this.ask(held, taken, refused);
  }

  private async ask(held: HeldNotification, taken: () => void, refused: () => void): Promise<void> {
    try {
      await held.whileBusy(() => this.hook?.(letterOf(held)));
    } catch (error) {
      this.reports.deadLetterHookFailed(held, error);
      return refused();
    }
    this.finish(held, true, taken);
  }

  private finish(held: HeldNotification, taken: boolean, then: () => void): void {
    this.counters.deadLettered += 1;
    // Should its acknowledgement be lost, nothing is left to do when it comes again.
    held.finish();
    this.reports.deadLettered(held, taken);
    then();
  }
}

function letterOf({ received, delivery, attempts, failures }: HeldNotification): DeadLetter {
  const { exchange, queue, redelivered, routingKey } = delivery;
  return {
    notification: new IncomingNotification(received, { exchange, queue, redelivered, routingKey }, attempts),
    attempts,
    failures: failures.map(({ entry, error }) => ({ listener: entry.name, error })),
  };
}
