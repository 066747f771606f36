import { MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
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
  readonly missing: readonly string[];
  /** Queues that give nothing of what they have. */
  readonly stalled: readonly string[];
}

/** The state of a queue at the last check; one check proves nothing, as messages are always on their way. */
interface Seen {
  channel: ConsumeChannel;
  delivered: number;
}

/**
 * Asks the broker whether it still knows the consumers that we think we have.
 *
 * AMQP stays healthy while a process is deaf: a cancellation can get lost, a queue can come back after a failover without its
 * consumers, or the broker has lost its half of one.
 */
export class ConsumerHealth {
  private readonly waiting = new Map<string, Seen>();

  /** `streams`: what has been read stays there, and says nothing. */
  constructor(private readonly streams: Pick<StreamOffsets, 'isStream'>) {}

  async examine(channel: ConsumeChannel, queues: readonly string[]): Promise<Findings> {
    const missing: string[] = [];
    const stalled: string[] = [];
    if (!(await channel.answers())) return { isStuck: true, missing, stalled };
    for (const queue of queues) {
      const seen = await channel.session.inspectQueue(queue).catch(noAnswer);
      // One that the broker does not answer for is left out.
      if (seen === 'no answer') continue;
      if (!seen || seen.consumers === 0) missing.push(queue);
      else if (!this.streams.isStream(queue) && this.isStalled(queue, seen, channel)) stalled.push(queue);
    }
    return { isStuck: false, missing, stalled };
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
  if (error instanceof MessageDeliveryFailure && error.cause instanceof NoAnswer) return 'no answer';
  throw error;
}

/**
 * Ends consumers that a lost connection has left behind, on queues that are ours alone.
 *
 * A connection that was given up for its silence may live on at the broker until its heartbeats fail, for minutes, and
 * goes on being served its share of the queue. Nothing but the end of the queue ends it; our consumer is told of that, and
 * declares the queue anew. A queue in which messages wait is left alone: they would go with it.
 */
export class StaleConsumers {
  private readonly queues: readonly string[];
  private state: 'none' | 'suspected' = 'none';

  constructor(request: Pick<ConsumeRequest, 'own' | 'topology'>) {
    this.queues = countable(request);
  }

  /** A connection fell silent, and its consumers may live on at the broker. */
  suspect(): void {
    this.state = 'suspected';
  }

  /** Beside ours, which is there. */
  async end(session: Session): Promise<void> {
    for (const queue of this.queues) await this.endOn(session, queue, 1);
  }

  /** The same before we consume, where some are suspected: at first a consumer may only be late to go. */
  async endFirst(session: Session): Promise<void> {
    if (this.state === 'none') return;
    for (const queue of this.queues) {
      const seen = await session.inspectQueue(queue);
      if (!seen || seen.consumers === 0) continue;
      await pause(graceMs);
      await this.endOn(session, queue, 0);
    }
    this.state = 'none';
  }

  private async endOn(session: Session, queue: string, ours: number): Promise<void> {
    const seen = session.alive ? await session.inspectQueue(queue) : undefined;
    if (!seen || seen.consumers <= ours || seen.messages > 0) return;
    await session.deleteQueue(queue, { ifEmpty: true });
  }
}

/**
 * Our own queues whose consumers can be counted and which can be deleted if empty: not replicated ones. RabbitMQ tells of
 * a quorum queue's consumers some seconds late, and closes the connection over a deletion with a condition.
 */
function countable({ own = [], topology }: Pick<ConsumeRequest, 'own' | 'topology'>): string[] {
  const isReplicated = (queue: string): boolean =>
    topology.some(
      (declared) => declared.kind === 'queue' && declared.name === queue && 'x-queue-type' in declared.arguments,
    );
  return own.filter((queue) => !isReplicated(queue));
}
