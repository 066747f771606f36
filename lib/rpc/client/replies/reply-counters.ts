/**
 * Counters of an inbox since it was made.
 *
 * @publicApi
 */
export interface ReplyCounters {
  replies: number;
  heartbeats: number;
  lateReplies: number;
  unknownReplies: number;
  /** To calls that had been answered: a server sends again what may have been lost. */
  repeatedReplies: number;
  malformedReplies: number;
}
