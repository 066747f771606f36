import { pause } from '../../../events/pause.js';
import type { ConsumeRequest, QueueInspection } from '../../broker.js';
import { NoAnswer } from '../connection/broker-request.js';
import type { Session } from '../connection/session.js';
import type { ConsumeChannel } from './consume-channel.js';
import type { StreamOffsets } from './stream-offsets.js';

/** A connection that we gave up ends within this time, if the broker has heard of it at all. */
const graceMs = 100;

/** Faults of the consumers of one channel that nobody has told. */
export interface Findings {
  /** The broker does not answer on the channel: its process there hangs. */
  readonly isStuck: boolean;
  /** Queues that are gone, or have no consumer. */
  readonly unconsumed: readonly string[];
  /** Queues that give nothing of what they have. */
  readonly stalled: readonly string[];
  /** Our own queues that give their messages to stale consumers as well. */
  readonly shared: readonly string[];
}

/** The state of a queue at the last check; one check proves nothing, as messages are always on their way. */
interface Seen {
  channel: ConsumeChannel;
  delivered: number;
}

/**
 * Asks the broker whether it still knows the consumers that we think we have, and no others on queues that are ours alone.
 *
 * AMQP stays healthy while a process is deaf: a cancellation can get lost, a queue can come back after a failover without its
 * consumers, or the broker has lost its half of one. A connection that was given up for its silence may live on at the broker
 * until its heartbeats fail, for minutes, and its stale consumers go on being served their share of the queue. Nothing but the
 * end of the queue ends them; our consumer is told of that, and declares the queue anew. A queue in which messages wait is
 * left alone: they would go with it.
 */
export class ConsumerHealth {
  private readonly waiting = new Map<string, Seen>();
  private readonly own: readonly string[];
  /** `suspected`: a connection fell silent, and its consumers may live on at the broker. */
  private stale: 'none' | 'suspected' = 'none';

  /** `streams`: what has been read stays there, and RabbitMQ counts no consumers of one; neither says anything. */
  constructor(
    request: Pick<ConsumeRequest, 'own' | 'topology'>,
    private readonly streams: Pick<StreamOffsets, 'isStream'>,
  ) {
    this.own = countable(request);
  }

  async examine(channel: ConsumeChannel, queues: readonly string[]): Promise<Findings> {
    const unconsumed: string[] = [];
    const stalled: string[] = [];
    const shared: string[] = [];
    const isStuck = !(await channel.answers());
    for (const queue of isStuck ? [] : queues) {
      const seen = await channel.session.inspectQueue(queue).catch(noAnswer);
      // One that the broker does not answer for is left out.
      if (seen === 'no answer') continue;
      if (!seen) unconsumed.push(queue);
      else if (this.streams.isStream(queue)) continue;
      else if (seen.consumers === 0) unconsumed.push(queue);
      else if (this.isStalled(queue, seen, channel)) stalled.push(queue);
      else if (seen.consumers > 1 && seen.messages === 0 && this.own.includes(queue)) shared.push(queue);
    }
    return { isStuck, unconsumed, stalled, shared };
  }

  suspectStale(): void {
    this.stale = 'suspected';
  }

  /** Ends suspected consumers before ours are there: at first they may only be late to go. */
  async endStale(session: Session): Promise<void> {
    if (this.stale === 'none') return;
    for (const queue of this.own) {
      const before = await session.inspectQueue(queue);
      if (!before || before.consumers === 0) continue;
      await pause(graceMs);
      const seen = await session.inspectQueue(queue);
      if (seen && seen.consumers > 0 && seen.messages === 0) await session.deleteQueue(queue, { ifEmpty: true });
    }
    this.stale = 'none';
  }

  /** True when messages were waiting at this check and at the last, and none has come in between. */
  private isStalled(queue: string, { messages }: QueueInspection, channel: ConsumeChannel): boolean {
    const before = this.waiting.get(queue);
    const delivered = channel.deliveredFrom(queue);
    if (messages === 0 || channel.held > 0) {
      this.waiting.delete(queue);
      return false;
    }
    this.waiting.set(queue, { channel, delivered });
    return before?.channel === channel && before.delivered === delivered;
  }
}

function noAnswer(error: unknown): 'no answer' {
  if (error instanceof NoAnswer) return 'no answer';
  throw error;
}

/**
 * Our own queues whose consumers can be counted and which can be deleted if empty: not replicated ones. RabbitMQ tells of
 * a quorum queue's consumers some seconds late, and closes the connection over a deletion with a condition.
 */
function countable({ own = [], topology }: Pick<ConsumeRequest, 'own' | 'topology'>): string[] {
  const isReplicated = (queue: string): boolean =>
    topology.some((one) => one.kind === 'queue' && one.name === queue && 'x-queue-type' in one.arguments);
  return own.filter((queue) => !isReplicated(queue));
}
