import type { ManagementApi } from '../../observe/bus/management-api.js';
import type { Output } from '../output.js';

/**
 * Runs `work` while the firehose is on, which is switched off again only if it was off before; both are told.
 *
 * @throws ManagementFailure our user is no administrator there, or it cannot be reached
 */
export async function withFirehose<Result>(
  api: ManagementApi,
  virtualHost: string,
  output: Output,
  work: () => Promise<Result>,
): Promise<Result> {
  const where = `the firehose of virtual host '${virtualHost}'`;
  if (await api.isTracing(virtualHost)) {
    output.note(`tap: ${where} is on already, and stays on`);
    return work();
  }
  await api.setTracing(virtualHost, true);
  const byHand = `rabbitmqctl trace_off -p '${virtualHost}'`;
  output.note(`tap: ${where} is switched on, through ${api.url}, until the end (if this is killed: ${byHand})`);
  try {
    return await work();
  } finally {
    await switchOff(api, virtualHost, output, `${where} is still on: ${byHand}`);
    output.note(`tap: ${where} is off again`);
  }
}

async function switchOff(api: ManagementApi, virtualHost: string, output: Output, warning: string): Promise<void> {
  try {
    await api.setTracing(virtualHost, false);
  } catch (error) {
    output.note(`tap: ${warning}`);
    throw error;
  }
}
