import type { MessageBroker } from '../../broker/broker.js';
import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { textOf } from '../../errors/text-of.js';
import { within } from '../../events/within.js';
import { openTapQueue } from './tap-queue.js';
import { TRACE_EXCHANGE } from '../traffic/traffic-decoder.js';

/** Whether the broker traces what passes through this virtual host on our node. */
export type FirehoseState =
  | { readonly name: 'off' }
  | { readonly name: 'on' }
  /** Our user may not look. */
  | { readonly name: 'refused'; readonly reason: string };

/** An answer took 15 ms where it was measured. */
const PATIENCE_MS = 500;

/**
 * Finds out whether the firehose is on, which cannot be asked over AMQP: a message to a queue of our own is traced, or not.
 *
 * @throws ClosedError
 */
export async function probeFirehose(broker: MessageBroker, patienceMs = PATIENCE_MS): Promise<FirehoseState> {
  let name: 'off' | 'on' = 'off';
  let told: (() => void) | undefined;
  const trace = new Promise<void>((resolve) => (told = resolve));
  const traced = (): void => {
    name = 'on';
    told?.();
  };
  const target = await openTapQueue(broker, 'probe', [], () => undefined);
  try {
    const bindings = [{ exchange: TRACE_EXCHANGE, routingKey: `deliver.${target.queue}` }];
    const traces = await openTapQueue(broker, 'probe', bindings, traced);
    try {
      await broker.publish({ exchange: '', routingKey: target.queue, body: '{}' });
      await within(patienceMs, trace);
      return { name };
    } finally {
      await traces.close();
    }
  } catch (error) {
    if (error instanceof MessageDeliveryFailure) return { name: 'refused', reason: textOf(error) };
    throw error;
  } finally {
    await target.close();
  }
}
