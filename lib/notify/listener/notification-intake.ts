import type { Delivery } from '../../broker/broker.js';
import { NOTIFICATION_PRIORITIES } from '../../wire/notification.js';
import { RecentIds } from '../../wire/recent-ids.js';
import { shown } from '../../wire/shown.js';
import { BacklogWatch } from './backlog-watch.js';
import { EntryMatcher } from './entry-matcher.js';
import { HeldBack } from './requeue/held-back.js';
import type { HeldNotification } from './held-notification.js';
import type { NotificationCounters } from './listener-counters.js';
import type { NotificationReader } from './notification-reader.js';
import type { NotificationReports } from './notification-reports.js';
import type { QueuePlan } from './queue-plan.js';
import { RedeliveryMemory } from './requeue/redelivery-memory.js';
import type { RequeuePolicy } from './requeue/requeue-policy.js';
import type { TurnTaker } from './turn-taker.js';
import type { DeadLetterDesk } from './requeue/dead-letter-desk.js';

/** Parts that the queues of one listener share. */
export interface IntakeParts {
  readonly reader: NotificationReader;
  readonly reports: NotificationReports;
  readonly policy: RequeuePolicy;
  readonly deadLetters: DeadLetterDesk;
  readonly counters: NotificationCounters;
}

const PRIORITIES: ReadonlySet<string> = new Set(NOTIFICATION_PRIORITIES);
/** As many exchanges that are none of ours are reported, each once. */
const MOST_STRANGERS = 100;

/**
 * Takes the messages of one queue to their listeners, and acknowledges each when all of them have ended.
 *
 * What is not acknowledged stays the broker's: memory is bounded by the prefetch, and a process that dies
 * loses nothing.
 */
export class NotificationIntake {
  private readonly matcher: EntryMatcher;
  private readonly inFlight = new Map<string, HeldNotification>();
  /** Came while their original is in flight. */
  private readonly copies = new Map<string, HeldNotification[]>();
  private readonly seen = new RecentIds();
  private readonly memory = new RedeliveryMemory();
  private readonly strangers = new Set<string>();
  private readonly whenEmpty = new Set<() => void>();
  private readonly heldBack: HeldBack;
  private readonly backlog: BacklogWatch;
  private state: 'draining' | 'open' = 'open';

  constructor(
    private readonly plan: QueuePlan,
    private readonly turns: TurnTaker,
    private readonly parts: IntakeParts,
    /** As many are held here at most, whatever the broker has. */
    prefetch: number,
  ) {
    this.matcher = new EntryMatcher(plan);
    this.heldBack = new HeldBack(parts.policy, (held) => this.run(held), prefetch);
    this.backlog = new BacklogWatch(prefetch, (behind) => this.reportBehind(behind));
  }

  /** Notifications whose listeners have not all ended. */
  get held(): number {
    return this.inFlight.size;
  }

  receive(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      if (this.state === 'draining') delivery.reject(true);
      else this.read(delivery);
    }
  }

  /** Held notifications come again: those that have not begun are forgotten, those that run end. */
  interrupted(): void {
    this.copies.clear();
    for (const held of this.inFlight.values()) held.lose();
    this.turns.takeBack(({ isGone }) => isGone);
    for (const held of [...this.inFlight.values()]) if (held.isIdle) this.forget(held);
  }

  /** From now on gives back what has not begun, and what still comes. */
  restrict(): void {
    this.state = 'draining';
    this.backlog.end();
    for (const held of [...this.copies.values()].flat()) held.delivery.reject(true);
    this.copies.clear();
    this.turns.takeBack(({ hasStarted }) => !hasStarted);
    for (const held of [...this.inFlight.values()]) if (!held.hasStarted) this.giveBack(held);
  }

  /** Resolves when nothing is held. */
  emptied(): Promise<void> {
    return this.inFlight.size === 0 ? Promise.resolve() : new Promise((resolve) => void this.whenEmpty.add(resolve));
  }

  private read(delivery: Delivery): void {
    const { counters, reader, reports } = this.parts;
    if (delivery.redelivered) counters.redelivered += 1;
    let held: HeldNotification;
    try {
      held = reader.read(delivery);
    } catch (error) {
      delivery.reject(false);
      return reports.rejected(delivery, error);
    }
    this.admit(held);
  }

  private admit(held: HeldNotification): void {
    const { id } = held;
    if (held.hasOwnId && this.seen.has(id)) return this.dropDuplicate(held);
    if (this.inFlight.has(id)) return void this.copies.set(id, [...(this.copies.get(id) ?? []), held]);
    const takers = this.matcher.takersOf(held);
    if (takers.length === 0) return this.dropUnmatched(held);
    held.address(takers, this.memory.get(id));
    this.inFlight.set(id, held);
    this.backlog.holds(this.inFlight.size);
    if (held.attempts > 0 && held.hasListeners) this.heldBack.hold(held);
    else this.run(held);
  }

  private run(held: HeldNotification): void {
    this.turns.take(held, () => this.settle(held));
  }

  /** Nobody has a turn any more. */
  private settle(held: HeldNotification): void {
    if (held.isGone) return this.forget(held);
    if (!held.failures.some(({ entry }) => entry.allowRequeue)) return this.acknowledge(held);
    if (this.parts.policy.allowsAnother(held.attempts)) return this.requeue(held);
    this.parts.deadLetters.take(
      held,
      () => this.acknowledge(held),
      () => this.requeue(held),
    );
  }

  private acknowledge(held: HeldNotification): void {
    const { id, delivery, failures } = held;
    const refused = failures.filter(({ entry }) => !entry.allowRequeue);
    if (held.isGone || !delivery.ack()) return this.forget(held);
    this.parts.counters.acknowledged += 1;
    if (held.hasOwnId) this.seen.add(id);
    this.memory.delete(id);
    if (refused.length > 0) {
      const names = refused.map(({ entry }) => entry.name).join(', ');
      this.parts.reports.dropped(held, 'failed', 'warn', `${names} failed, and may not requeue`);
    }
    this.release(held);
  }

  private requeue(held: HeldNotification): void {
    const { policy } = this.parts;
    if (held.isGone) return this.forget(held);
    const now = performance.now();
    const { since = now, finished, hurried } = held;
    const attempts = hurried ? Math.max(held.attempts, policy.attemptsWithin(now - since)) : held.attempts + 1;
    this.memory.set(held.id, { attempts, since, finished });
    if (held.delivery.reject(true)) {
      this.parts.counters.requeued += 1;
      this.parts.reports.requeued(held, attempts);
    }
    this.release(held);
  }

  private giveBack(held: HeldNotification): void {
    held.delivery.reject(true);
    this.forget(held);
  }

  /** It comes again without having failed. */
  private forget(held: HeldNotification): void {
    const { id, attempts, finished, since = performance.now() } = held;
    if (attempts > 0 || finished.size > 0) this.memory.set(id, { attempts, since, finished });
    this.release(held);
  }

  private release(held: HeldNotification): void {
    const { id } = held;
    this.heldBack.release(held);
    this.inFlight.delete(id);
    this.backlog.holds(this.inFlight.size);
    const copies = this.copies.get(id) ?? [];
    this.copies.delete(id);
    for (const copy of copies) this.admit(copy);
    if (this.inFlight.size > 0) return;
    for (const wake of this.whenEmpty) wake();
    this.whenEmpty.clear();
  }

  private reportBehind(behind: boolean): void {
    const awaited = [...this.inFlight.values()].flatMap(({ latestTurn }) => latestTurn ?? []);
    const names = [...new Set(awaited.map(({ name }) => name))];
    this.parts.reports.behind(this.plan.queue, behind, this.inFlight.size, names);
  }

  private dropDuplicate(held: HeldNotification): void {
    if (!held.delivery.ack()) return;
    this.parts.counters.duplicates += 1;
    this.parts.reports.dropped(held, 'duplicate', 'warn', 'it was received before');
  }

  private dropUnmatched(held: HeldNotification): void {
    if (!held.delivery.ack()) return;
    this.parts.counters.unmatched += 1;
    const { exchange } = held.delivery;
    if (!PRIORITIES.has(held.received.priority)) {
      const why = `there is no priority '${shown(held.received.priority)}'`;
      return this.parts.reports.dropped(held, 'unmatched', 'warn', why);
    }
    const isNews = this.matcher.isForeign(held) && !this.strangers.has(exchange);
    if (isNews && this.strangers.size < MOST_STRANGERS) {
      this.strangers.add(exchange);
      const why =
        `it came by the exchange '${exchange}', which shares the queue, and no listener names it: all that comes by it is ` +
        `acknowledged and dropped here. A listener with exchange '*' takes what comes by any`;
      return this.parts.reports.dropped(held, 'unmatched', 'warn', why);
    }
    this.parts.reports.dropped(held, 'unmatched', 'debug', 'no listener wants it');
  }
}
