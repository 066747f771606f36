import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { connectBroker, RpcClient } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { buildService, ServiceProcess } from './service-process.js';

const vhost = useVhost();

beforeAll(buildService, 300_000);

async function newClient(): Promise<RpcClient> {
  const broker = await connectBroker(vhost.url);
  const client = new RpcClient(broker, { topic: 'work' }, { timeout: 20 });
  onTestFinished(async () => {
    await client.close();
    await broker.close();
  });
  return client;
}

/** How often each id was run. */
function timesRun(services: readonly ServiceProcess[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const { id } of services.flatMap(({ ran }) => ran)) times.set(id, (times.get(id) ?? 0) + 1);
  return times;
}

describe.each(['standalone', 'hybrid'])('SIGTERM of a %s application under load', (form) => {
  it('loses nothing, and runs nothing twice', async () => {
    const leaving = await ServiceProcess.start(vhost.url, 'leaving', form);
    const staying = await ServiceProcess.start(vhost.url, 'staying', form);
    const client = await newClient();
    const ids = [...Array(200).keys()];
    const answers = Promise.all(ids.map((id) => client.call('work', { id })));
    await Promise.all(ids.map((id) => client.cast('work', { id: 1000 + id })));
    const fanouts = [2001, 2002, 2003];
    await Promise.all(fanouts.map((id) => client.fanout('work', { id })));
    await eventually(() => leaving.ran.length >= 10 && staying.ran.length >= 10);

    const ending = await leaving.terminate();
    expect(ending).toEqual({ signal: 'SIGTERM', errors: '' });
    expect(leaving.ran.length).toBeLessThan(2 * ids.length);

    expect(await answers).toEqual(ids);
    const total = 2 * ids.length + 2 * fanouts.length;
    await eventually(() => leaving.ran.length + staying.ran.length >= total);
    const times = timesRun([leaving, staying]);
    const others = [...times].filter(([id, count]) => count !== (fanouts.includes(id) ? 2 : 1));
    expect(others).toEqual([]);
    expect(times.size).toBe(2 * ids.length + fanouts.length);

    // The database of its handlers was destroyed when the last of them had ended.
    expect(leaving.reports.at(-1)).toEqual({ what: 'destroyed', atWork: 0 });
    await staying.terminate();
  });
});
