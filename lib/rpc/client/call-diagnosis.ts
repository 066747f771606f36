import { counted } from '../../errors/counted.js';
import type { BrokerState } from '../../broker/broker.js';
import type { ConnectionOutage, TimeoutDiagnosis, TimeoutReason } from '../../errors/timeout-diagnosis.js';
import type { TargetSeen } from './target-inspections.js';

/** Facts of a call that has timed out. */
export interface CallEvidence {
  readonly exchange: string;
  readonly queue: string;
  readonly waitedFor: TimeoutDiagnosis['waitedFor'];
  /** True when the broker has confirmed the request. */
  readonly confirmed: boolean;
  /** True when the broker has had no queue for it. */
  readonly isUnrouted: boolean;
  readonly lastHeartbeatMsAgo: number | undefined;
  readonly brokerState: BrokerState;
  /** Why there is no connection, as far as it is known. */
  readonly lastFailure: string | undefined;
  readonly replyQueueAlive: boolean;
  /** Messages on our reply queue that were rejected unread since the call began. */
  readonly rejectedReplies: number;
  readonly seen: TargetSeen | undefined;
  /** For so long the broker was asked; undefined: it was not. */
  readonly inspectedForMs: number | undefined;
  readonly inspectionFailure: string | undefined;
  readonly outages: readonly ConnectionOutage[];
}

/** As many outages are told in the error's message. */
const OUTAGES_TOLD = 4;

/** Why there was no answer, as far as it can be known. */
export function diagnose(evidence: CallEvidence): TimeoutDiagnosis {
  const { exchange, queue, waitedFor, confirmed, lastHeartbeatMsAgo, seen, outages } = evidence;
  const reason = reasonOf(evidence);
  return {
    reason,
    summary: [
      words[reason](evidence),
      ...heartbeatWords(evidence),
      ...rejectedWords(evidence),
      ...outageWords(evidence),
    ].join('; '),
    waitedFor,
    exchange,
    queue,
    confirmed,
    ...seen?.queue,
    ...(lastHeartbeatMsAgo !== undefined && { lastHeartbeatMsAgo }),
    ...(evidence.rejectedReplies > 0 && { rejectedReplies: evidence.rejectedReplies }),
    outages,
  };
}

/** Certain reasons come before likely ones. */
function reasonOf({ brokerState, confirmed, isUnrouted, replyQueueAlive, seen }: CallEvidence): TimeoutReason {
  if (brokerState === 'connecting') return 'disconnected';
  if (brokerState === 'blocked') return 'blocked';
  if (!replyQueueAlive) return 'reply-queue-lost';
  // Without them a request that no queue takes is tried again, and stays unconfirmed.
  if (seen && !seen.hasExchange) return 'no-exchange';
  if (seen && !seen.queue) return 'no-queue';
  if (isUnrouted) return 'not-routed';
  if (!confirmed) return 'not-sent';
  if (!seen) return 'unknown';
  return (seen.queue?.consumers ?? 0) === 0 ? 'no-consumers' : 'not-answered';
}

const words: Readonly<Record<TimeoutReason, (evidence: CallEvidence) => string>> = {
  disconnected: ({ lastFailure }) =>
    `there is no connection to the broker${lastFailure === undefined ? '' : ` (${lastFailure})`}`,
  blocked: () => 'the broker takes no messages (memory or disk alarm)',
  'reply-queue-lost': () => 'our reply queue is not being consumed',
  'not-sent': () => 'the broker has not confirmed the request',
  // Not told in time: which of the two is missing.
  'not-routed': ({ exchange, queue, seen }) =>
    `no queue took the request: exchange '${exchange}' had no ${seen ? '' : 'queue or no '}binding for '${queue}'`,
  'no-exchange': ({ exchange }) => `there is no exchange '${exchange}'`,
  'no-queue': ({ queue }) => `there is no queue '${queue}'`,
  'no-consumers': ({ queue, seen }) => `queue '${queue}' has no consumers and ${waiting(seen)}`,
  'not-answered': ({ queue, seen }) =>
    `queue '${queue}' has ${counted(seen?.queue?.consumers ?? 0, 'consumer')} and ${waiting(seen)}, but none has answered`,
  unknown: ({ queue, inspectedForMs, inspectionFailure }) => {
    if (inspectedForMs === undefined) return `our process stood still, and did not inspect queue '${queue}'`;
    if (inspectionFailure !== undefined) return `nothing is known of queue '${queue}': ${inspectionFailure}`;
    return `the broker did not answer an inspection of queue '${queue}' within ${inspectedForMs} ms`;
  },
};

function heartbeatWords({ lastHeartbeatMsAgo }: CallEvidence): string[] {
  return lastHeartbeatMsAgo === undefined ? [] : [`the server's last heartbeat came ${lastHeartbeatMsAgo} ms ago`];
}

function rejectedWords({ rejectedReplies }: CallEvidence): string[] {
  if (rejectedReplies === 0) return [];
  return [
    `${counted(rejectedReplies, 'message')} on our reply queue could not be read: one of them may have been the answer`,
  ];
}

function outageWords({ outages }: CallEvidence): string[] {
  const told = outages.slice(-OUTAGES_TOLD).map(({ kind, connection, from, to }) => {
    const state = kind === 'blocked' ? 'blocked' : 'down';
    const [what, how] =
      kind === 'reply-queue-lost' ? ['our reply queue', 'not consumed'] : [`the ${connection} connection`, state];
    return to === null ? `${what} is ${how} since ${from}` : `${what} was ${how} from ${from} to ${to}`;
  });
  return outages.length > OUTAGES_TOLD ? [`${outages.length - OUTAGES_TOLD} earlier outages`, ...told] : told;
}

function waiting(seen: TargetSeen | undefined): string {
  return `${counted(seen?.queue?.messages ?? 0, 'message')} waiting`;
}
