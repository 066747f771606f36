import type { BatchCollector } from './batch-collector.js';
import type { HeldNotification, ListenerOutcome, ListenerTurn } from './held-notification.js';
import { IncomingNotification } from './incoming-notification.js';
import type { ListenerQueue } from './listener-queue.js';
import type { NotificationListenerEntry } from './notification-registration.js';

/** The way of a listener's turns: to its queue, or for a batch first to its collector. */
export interface Course {
  readonly queue: ListenerQueue;
  readonly collector?: BatchCollector;
}

/**
 * Leads notifications through the listeners that take them, in the order of registration: the next begins
 * when the one before has ended, as in Python, but all run, whatever becomes of the others. A batch only
 * collects; the next need not wait for it, the acknowledgement does.
 */
export class TurnTaker {
  constructor(private readonly courses: ReadonlyMap<NotificationListenerEntry, Course>) {}

  /** Calls `over` once, when all turns of `held` have ended. */
  take(held: HeldNotification, over: () => void): void {
    while (held.isLedOn) {
      const entry = held.takeTurn();
      const { queue, collector } = this.courses.get(entry)!;
      const turn = turnOf(held, entry, (outcome) => {
        held.turnEnded(entry, outcome);
        // A batch ends by itself, so it may only report that it was the last.
        if (!collector) this.take(held, over);
        else if (held.isOver) over();
      });
      if (!collector) return queue.push([turn]);
      held.start();
      collector.push(turn);
      // It may have run at once, and been the last.
      if (!held.isLedOn) return;
    }
    if (held.isOver) over();
  }

  /** Takes turns back that have not begun. */
  takeBack(match: (held: HeldNotification) => boolean): void {
    const isWanted = (turn: ListenerTurn): boolean => match(turn.held);
    for (const { queue, collector } of this.courses.values()) {
      const turns = [...queue.take(isWanted), ...(collector?.take(isWanted) ?? [])];
      for (const { held } of turns) held.takeBackTurn();
    }
  }
}

function turnOf(
  held: HeldNotification,
  entry: NotificationListenerEntry,
  ended: (outcome: ListenerOutcome) => void,
): ListenerTurn {
  const { received, delivery, attempts } = held;
  const { exchange, queue, redelivered, routingKey } = delivery;
  const origin = { exchange, queue, redelivered, routingKey };
  return { held, entry, notification: new IncomingNotification(received, origin, attempts), ended };
}
