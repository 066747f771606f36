import type { Delivery } from '../../broker/broker.js';
import type { ReceivedNotification } from '../../wire/notification.js';
import type { IncomingNotification } from './incoming-notification.js';
import type { NotificationListenerEntry } from './notification-registration.js';
import type { RedeliveryRecord } from './requeue/redelivery-memory.js';

/** How a listener ended with a notification. */
export interface ListenerOutcome {
  readonly requeue: boolean;
  readonly error?: unknown;
}

/** `waiting`: no listener has begun, nor collects it. `gone`: its delivery is no longer ours; it comes again. */
type HeldState = 'gone' | 'started' | 'waiting';

/** A notification on its way through the listeners of its queue, not yet acknowledged. */
export class HeldNotification {
  attempts = 0;
  /** On the clock of `performance.now()`: when it went back first. */
  since: number | undefined;
  /** Tried again earlier than it should be. */
  hurried = false;
  /** Listeners that have run, now or on an earlier delivery, and need not run again. */
  readonly finished = new Set<NotificationListenerEntry>();
  /** Listeners that failed or asked for a requeue. */
  readonly failures: { readonly entry: NotificationListenerEntry; readonly error?: unknown }[] = [];
  private state: HeldState = 'waiting';
  /** Listeners that have to run, in the order of registration, and how many of them have had their turn. */
  private todo: readonly NotificationListenerEntry[] = [];
  private turnsTaken = 0;
  /** Turns that are taken and not ended. */
  private running = 0;

  constructor(
    readonly delivery: Delivery,
    readonly received: ReceivedNotification,
    /** Recognises it when it comes again. */
    readonly id: string,
    /** True when the sender gave it that id, so that only a true duplicate has the same. */
    readonly hasOwnId: boolean,
  ) {}

  get isGone(): boolean {
    return this.state === 'gone';
  }

  get hasStarted(): boolean {
    return this.state === 'started';
  }

  /** True while no turn is taken. */
  get isIdle(): boolean {
    return this.running === 0;
  }

  get isLedOn(): boolean {
    return this.state !== 'gone' && this.turnsTaken < this.todo.length;
  }

  /** True when all listeners have ended, or those that have begun are the last. */
  get isOver(): boolean {
    return this.isIdle && !this.isLedOn;
  }

  get hasListeners(): boolean {
    return this.todo.length > 0;
  }

  /** `takers`: listeners that want it, in the order of registration. */
  address(takers: readonly NotificationListenerEntry[], before: RedeliveryRecord | undefined): void {
    for (const entry of before?.finished ?? []) this.finished.add(entry);
    this.attempts = before?.attempts ?? 0;
    this.since = before?.since;
    this.todo = takers.filter((entry) => !this.finished.has(entry));
  }

  /** The listener whose turn came last. */
  get latestTurn(): NotificationListenerEntry | undefined {
    return this.todo[this.turnsTaken - 1];
  }

  /** The next listener, whose turn it is from now on. */
  takeTurn(): NotificationListenerEntry {
    const entry = this.todo[this.turnsTaken]!;
    this.turnsTaken += 1;
    this.running += 1;
    return entry;
  }

  /** A turn that has not begun will not. */
  takeBackTurn(): void {
    this.running -= 1;
  }

  turnEnded(entry: NotificationListenerEntry, { requeue, error }: ListenerOutcome): void {
    this.running -= 1;
    if (requeue) this.failures.push({ entry, error });
    if (!requeue || !entry.allowRequeue) this.finished.add(entry);
  }

  /** A listener has begun, or collects it. */
  start(): void {
    if (this.state === 'waiting') this.state = 'started';
  }

  lose(): void {
    this.state = 'gone';
  }

  /** The dead-letter hook keeps it as busy as a listener. */
  async whileBusy(work: () => unknown): Promise<void> {
    this.running += 1;
    try {
      await work();
    } finally {
      this.running -= 1;
    }
  }

  /** Nothing is left to do, should it come again. */
  finish(): void {
    for (const entry of this.todo) this.finished.add(entry);
  }
}

/** One notification as it is given to one listener, and what becomes of it there. */
export interface ListenerTurn {
  readonly held: HeldNotification;
  readonly entry: NotificationListenerEntry;
  readonly notification: IncomingNotification;
  ended(outcome: ListenerOutcome): void;
}
