// One run of one cell by one contender.
import { cpuOf } from './party.mjs';

/** Enough for a listener to run for about as long as the other cells do. */
const listened = (name) => (name.startsWith('python') ? 2_000 : 20_000);

export async function measure({ client, server, name }, { operation, bytes, inFlight }, ms, brokerPid) {
  if (operation === 'listen') {
    const count = listened(name);
    await client.ask('notify', { bytes, count, inFlight: 128 });
    return watched(server, undefined, brokerPid, () => server.ask('listen', { count }));
  }
  return watched(client, server, brokerPid, () => client.ask(operation, { bytes, inFlight, ms }));
}

/** Microseconds of CPU for each of what was done, by process. */
async function watched(client, server, brokerPid, run) {
  const pids = [client.pid, server?.pid, brokerPid];
  const before = pids.map((pid) => pid && cpuOf(pid));
  const { done, seconds, p50, p99 } = await run();
  const [own, other, broker] = pids.map((pid, index) => (pid ? ((cpuOf(pid) - before[index]) / done) * 1e6 : 0));
  return { rate: done / seconds, p50, p99, client: own, server: other, cpu: own + other, broker };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Median, lowest and highest of each number. */
export function summary(runs) {
  const keys = Object.keys(runs[0]).filter((key) => typeof runs[0][key] === 'number');
  return Object.fromEntries(
    keys.map((key) => {
      const values = runs.map((run) => run[key]);
      return [key, { median: median(values), min: Math.min(...values), max: Math.max(...values) }];
    }),
  );
}
