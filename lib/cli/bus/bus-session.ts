import { type Broker, type MessageBroker, rpcSeamOf } from '../../broker/broker.js';
import { createBroker } from '../../broker/connect-broker.js';
import { parseTransportUrl } from '../../config/transport-url.js';
import { NobodyThere, ReadOnlyBus } from '../exit-codes.js';
import type { Output } from '../output.js';
import { chooseTransport, type TransportChoice, type TransportOptions } from './transport-choice.js';

/** The effect of a command on the bus. */
export type Effect = 'changes' | 'looks';

/** Of several hosts each may be asked. */
const CONNECT_MS = 5_000;

/**
 * Runs a command's work with a connected broker, which is closed in any case.
 *
 * @throws MessageDeliveryFailure the bus cannot be reached within 5 s, or refuses us
 * @throws ReadOnlyBus the command would change something, and may not
 */
export async function withBus<Result>(
  options: TransportOptions,
  env: Readonly<Record<string, string | undefined>>,
  output: Output,
  effect: Effect,
  work: (broker: MessageBroker, choice: TransportChoice) => Promise<Result>,
): Promise<Result> {
  const choice = chooseTransport(options, env);
  announce(choice, output, effect);
  const broker = openBroker(choice);
  try {
    await connected(broker, choice);
    return await work(rpcSeamOf(broker), choice);
  } finally {
    await broker.close();
  }
}

/**
 * Resolves when the bus is there.
 *
 * @throws MessageDeliveryFailure it cannot be reached, or refuses us: the one host at once, one of several after 5 s
 */
export function connected(broker: Broker, { url }: TransportChoice): Promise<void> {
  return broker.connected(parseTransportUrl(url).hosts.length > 1 ? CONNECT_MS : 0);
}

/** Sending would make it, as services do; a wrong name would stay behind. @throws NobodyThere */
export async function requireExchange(broker: MessageBroker, exchange: string): Promise<void> {
  if (await broker.hasExchange(exchange)) return;
  throw new NobodyThere(
    `there is no exchange '${exchange}': no service of it has started on this virtual host, or --exchange is another one`,
  );
}

/** Seconds: longer than a server tries to hand over an answer that comes too late. */
const QUEUES_TTL = 120;

/** Not connected yet. */
export function openBroker({ url, options }: TransportChoice): Broker {
  const broker = createBroker(url, {
    ...options,
    // The names that stay are those of the service whose file it is.
    useQueueManager: false,
    // A call that has timed out leaves its reply queue to the server. A stream is shared, and has to be as others declare it.
    ...(!options.rabbitStreamFanout && { rabbitTransientQueuesTtl: QUEUES_TTL }),
  });
  // What matters of it is told by the commands' own errors.
  broker.events.subscribe(() => undefined);
  return broker;
}

/** Who changes a bus shall know which. @throws ReadOnlyBus */
export function announce(choice: TransportChoice, output: Output, effect: Effect): void {
  for (const note of choice.notes) output.note(note);
  if (effect === 'changes' && choice.readOnly) {
    throw new ReadOnlyBus(`this would change something on ${choice.shownUrl}, and it is read-only here`);
  }
  output.note(`bus ${choice.shownUrl} (${choice.because})`);
}
