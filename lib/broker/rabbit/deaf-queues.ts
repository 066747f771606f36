import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import type { ConsumeChannel } from './consume-channel.js';
import type { QueueInspector } from './queue-inspector.js';
import type { SilentQueues } from './silent-queues.js';
import { NoAnswer } from './spare-channel.js';

interface DeafQueues {
  /** They are gone, or have no consumer. */
  forgotten: string[];
  /** They give nothing of what they have. */
  silent: string[];
}

/** Which of the queues that we believe to consume bring us nothing. One that the broker does not answer for is left out. */
export async function deafQueues(
  queues: readonly string[],
  channel: ConsumeChannel,
  inspector: QueueInspector,
  silence: SilentQueues,
): Promise<DeafQueues> {
  const deaf: DeafQueues = { forgotten: [], silent: [] };
  for (const queue of queues) {
    const seen = await inspector.inspect(channel.line, queue).catch(noAnswer);
    if (seen === 'no answer') continue;
    if (!seen || seen.consumers === 0) deaf.forgotten.push(queue);
    else if (silence.isSilent(queue, seen, channel)) deaf.silent.push(queue);
  }
  return deaf;
}

function noAnswer(error: unknown): 'no answer' {
  if (error instanceof MessageDeliveryFailure && error.cause instanceof NoAnswer) return 'no answer';
  throw error;
}
