import { OsloMessagingError } from '../../errors/oslo-messaging.error.js';
import type { Topology } from '../../wire/topology.js';
import type { Line } from './line.js';
import { ReconnectPolicy } from './reconnect-policy.js';

const tries = 3;
const policy = new ReconnectPolicy();

/** Declares; what is neither a refusal nor a loss of the line (a node failing over) may pass. */
export async function declarePatiently(line: Line, topology: Topology, triesLeft = tries): Promise<void> {
  try {
    await line.declarer.declare(topology);
  } catch (error) {
    if (error instanceof OsloMessagingError || !line.alive || triesLeft <= 1) throw error;
    await new Promise((resolve) => setTimeout(resolve, policy.delayMs(0)));
    await declarePatiently(line, topology, triesLeft - 1);
  }
}
