import type { NotificationListenerEntry } from '../notification-registration.js';

/** Memory of a notification that will come again. */
export interface RedeliveryRecord {
  /** How often it went back from here. */
  readonly attempts: number;
  /** On the clock of `performance.now()`: when it went back first. */
  readonly since: number;
  /** Listeners that need not run again. */
  readonly finished: ReadonlySet<NotificationListenerEntry>;
}

const MOST_REMEMBERED = 10_000;

/** Remembers, for a bounded number of notifications, what is left to do; the oldest are forgotten. */
export class RedeliveryMemory {
  private readonly records = new Map<string, RedeliveryRecord>();

  get(id: string): RedeliveryRecord | undefined {
    return this.records.get(id);
  }

  set(id: string, record: RedeliveryRecord): void {
    this.records.delete(id);
    this.records.set(id, record);
    if (this.records.size > MOST_REMEMBERED) this.records.delete(this.records.keys().next().value!);
  }

  delete(id: string): void {
    this.records.delete(id);
  }
}
