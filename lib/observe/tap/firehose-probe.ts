import type { Delivery, MessageBroker } from '../../broker/broker.js';
import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { MessagingTimeout } from '../../errors/rpc.errors.js';
import { textOf } from '../../errors/text-of.js';
import type { BindingDeclaration } from '../../wire/topology.js';
import { openTapQueue } from './tap-queue.js';
import { TRACE_EXCHANGE } from '../traffic/traffic-decoder.js';

/** Whether the broker traces what passes through this virtual host on our node. */
export type FirehoseState =
  | { readonly name: 'off' }
  | { readonly name: 'on' }
  /** Our user may not look. */
  | { readonly name: 'refused'; readonly reason: string };

/** The messages of a queue of our own, one after another. */
interface Inbox {
  readonly queue: string;
  next(): Promise<Delivery>;
  close(): Promise<void>;
}

/** An answer took 15 ms where it was measured. */
const GIVE_UP_MS = 10_000;

/**
 * Finds out whether the firehose is on, which cannot be asked over AMQP: a message to a queue of our own is traced, or not.
 * It is not when a message that was sent after its trace comes first, however slow the broker is.
 *
 * @throws MessagingTimeout the broker did not hand over our messages within 10 s
 * @throws ClosedError
 */
export async function probeFirehose(broker: MessageBroker, giveUpMs = GIVE_UP_MS): Promise<FirehoseState> {
  const inboxes: Inbox[] = [];
  const open = async (bindings: Parameters<typeof openInbox>[1]): Promise<Inbox> => {
    const inbox = await openInbox(broker, bindings);
    inboxes.push(inbox);
    return inbox;
  };
  try {
    const target = await open([]);
    const traces = await open([{ exchange: TRACE_EXCHANGE, routingKey: `deliver.${target.queue}` }]);
    const isTraced = await inTime(firstIsTrace(broker, target, traces), giveUpMs);
    return { name: isTraced ? 'on' : 'off' };
  } catch (error) {
    if (error instanceof MessageDeliveryFailure) return { name: 'refused', reason: textOf(error) };
    throw error;
  } finally {
    await Promise.allSettled(inboxes.map((inbox) => inbox.close()));
  }
}

async function firstIsTrace(broker: MessageBroker, target: Inbox, traces: Inbox): Promise<boolean> {
  const send = (routingKey: string): Promise<void> => broker.publish({ exchange: '', routingKey, body: '{}' });
  // The broker traces a delivery after it has handed it over, and before the next one.
  await Promise.all([send(target.queue), send(target.queue), target.next().then(() => target.next())]);
  const [first] = await Promise.all([traces.next(), send(traces.queue)]);
  return first.exchange === TRACE_EXCHANGE;
}

async function openInbox(
  broker: MessageBroker,
  bindings: readonly Pick<BindingDeclaration, 'exchange' | 'routingKey'>[],
): Promise<Inbox> {
  const arrived: Delivery[] = [];
  let tell: (() => void) | undefined;
  const { queue, close } = await openTapQueue(broker, 'probe', bindings, (deliveries) => {
    arrived.push(...deliveries);
    tell?.();
  });
  const next = async (): Promise<Delivery> => {
    if (arrived.length === 0) await new Promise<void>((resolve) => (tell = resolve));
    return arrived.shift()!;
  };
  return { queue, next, close };
}

/** A connection that is lost takes our messages with it. */
async function inTime<T>(answer: Promise<T>, giveUpMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const text = `The broker did not tell within ${giveUpMs / 1_000} s whether the firehose is on: name a source, and nobody asks`;
    timer = setTimeout(() => reject(new MessagingTimeout(text, { fault: 'broker' })), giveUpMs);
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
