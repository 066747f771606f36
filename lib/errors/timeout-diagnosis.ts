/**
 * The most likely reason that no answer came; the definite ones first.
 *
 * - `disconnected`: there is no connection to the broker.
 * - `blocked`: the broker takes no messages (memory or disk alarm), neither ours nor, as a rule, the server's.
 * - `not-sent`: the broker has not confirmed the request.
 * - `reply-queue-lost`: our own reply queue is not being consumed.
 * - `no-exchange`, `no-queue`: there is nothing that leads to a server.
 * - `not-routed`: the broker returns the request. The exchange and the queue are there, but no binding between them; or
 *   the broker did not answer in time which of them is missing.
 * - `no-consumers`: the queue is there, but nobody takes anything from it.
 * - `not-answered`: the queue is consumed; the server has the request, or has it still before it.
 * - `unknown`: the broker did not answer the inspection in time, or our process stood still and did not ask.
 *
 * @publicApi
 */
export type TimeoutReason =
  | 'blocked'
  | 'disconnected'
  | 'no-consumers'
  | 'no-exchange'
  | 'no-queue'
  | 'not-answered'
  | 'not-routed'
  | 'not-sent'
  | 'reply-queue-lost'
  | 'unknown';

/**
 * A time in which a connection was of no use, or our reply queue was not consumed on a healthy one.
 *
 * @publicApi
 */
export interface ConnectionOutage {
  readonly kind: 'blocked' | 'disconnected' | 'reply-queue-lost';
  readonly connection: 'consume' | 'publish';
  /** ISO 8601. */
  readonly from: string;
  /** ISO 8601; null: it lasted when the call ended. */
  readonly to: string | null;
}

/**
 * The surroundings of a call shortly before its deadline; plain data, fit for JSON.
 *
 * @publicApi
 */
export interface TimeoutDiagnosis {
  readonly reason: TimeoutReason;
  /** The reason with its facts, for people; part of the error's message. */
  readonly summary: string;
  /** The time that ran out: the call's timeout, or that of its call monitor. */
  readonly waitedFor: 'answer' | 'heartbeat';
  /** Destination of the request. */
  readonly exchange: string;
  readonly queue: string;
  /** True when the broker has confirmed the request. */
  readonly confirmed: boolean;
  /** Ready messages and consumers of the queue; absent where it was not seen. */
  readonly messages?: number;
  readonly consumers?: number;
  /** Milliseconds since the server's last heartbeat, if there was one: it had the request. */
  readonly lastHeartbeatMsAgo?: number;
  /** Messages on our reply queue that were rejected unread during the call; absent where there were none. */
  readonly rejectedReplies?: number;
  /** When a connection was down or blocked during the call, oldest first. */
  readonly outages: readonly ConnectionOutage[];
  /** Set later, when the answer comes after all: milliseconds after the call had ended. */
  answeredLateByMs?: number;
}
