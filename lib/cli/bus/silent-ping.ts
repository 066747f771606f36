import { NoSuchMethod, RemoteError, UnsupportedVersion } from '../../errors/rpc.errors.js';
import type { RpcCallContext } from '../../rpc/client/rpc-call-context.js';

/** No server has it, and Python's servers note a missing method of such a name at debug level only. */
export const SILENT_METHOD = 'oslo_bus_probe_ignore_errors';

/**
 * Calls a method that no server has; the refusal is the answer. Resolves to its milliseconds.
 *
 * @throws UnsupportedVersion a server is alive, and does not serve that version
 * @throws MessagingTimeout, MessageUndeliverable, MessageDeliveryFailure as a call
 */
export async function silentPing(client: RpcCallContext, method = SILENT_METHOD): Promise<number> {
  const begun = performance.now();
  try {
    await client.call(method);
  } catch (error) {
    if (!(error instanceof NoSuchMethod) && !(error instanceof RemoteError)) throw error;
  }
  return performance.now() - begun;
}

/** True when a server serves that version. @throws as `silentPing`, but for `UnsupportedVersion` */
export async function servesVersion(client: RpcCallContext, version: string): Promise<boolean> {
  try {
    await silentPing(client.prepare({ version }));
    return true;
  } catch (error) {
    if (error instanceof UnsupportedVersion) return false;
    throw error;
  }
}
