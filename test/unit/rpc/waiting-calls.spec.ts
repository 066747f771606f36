import { expect, it, vi } from 'vitest';
import { RpcClient } from '../../../lib/index.js';
import { stillKept } from '../../support/garbage.js';
import { TARGET, useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

/** Nothing here may hold the arguments: they would be kept for the test's own sake. */
async function callInVain(client: RpcClient, retry: number): Promise<WeakRef<object>[]> {
  const patient = client.prepare({ timeout: 0.02, retry });
  const asked = Array.from({ length: 10 }, (_, n) => {
    const instance = { n };
    const call = patient.call('work', { instance });
    return { instance: new WeakRef(instance), call };
  });
  await Promise.allSettled(asked.map(({ call }) => call));
  return asked.map(({ instance }) => instance);
}

it.each([-1, 5])('of calls that ended before the reply queue was there nothing is kept (retry %i)', async (retry) => {
  const broker = on().broker();
  vi.spyOn(broker, 'consume').mockReturnValue(new Promise(() => undefined));
  const client = new RpcClient(broker, TARGET);
  expect(await stillKept(await callInVain(client, retry))).toBe(0);
  expect(client.pendingCalls).toBe(0);
});
