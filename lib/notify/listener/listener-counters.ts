import type { LaneCounters } from './listener-queue.js';

/**
 * Counters of a listener since it was made.
 *
 * @publicApi
 */
export interface NotificationCounters extends LaneCounters {
  /** Messages that all their listeners have done with. */
  acknowledged: number;
  /** Wanted by no listener. */
  unmatched: number;
  /** Recognised by their id and dropped. */
  duplicates: number;
  /** Not understood. */
  rejected: number;
  /** Came back, from us or from another process. */
  redelivered: number;
  requeued: number;
  /** Requeued to the limit. */
  deadLettered: number;
  /** Still running when a stop could not wait any longer; they are delivered again. */
  abandoned: number;
}

export function newCounters(): NotificationCounters {
  return {
    handled: 0,
    failed: 0,
    acknowledged: 0,
    unmatched: 0,
    duplicates: 0,
    rejected: 0,
    redelivered: 0,
    requeued: 0,
    deadLettered: 0,
    abandoned: 0,
  };
}
