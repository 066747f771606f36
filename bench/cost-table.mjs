// `--cost`: what a call, a cast and a notification cost each contender's client.
import { cells } from './cells.mjs';
import { contenders } from './contenders.mjs';
import { end, start } from './party.mjs';

const costed = {
  call: { operation: 'call', bytes: 100, inFlight: 16, count: 5_000 },
  cast: { operation: 'cast', bytes: 100, inFlight: 16, count: 5_000 },
  notification: { operation: 'notify', bytes: 1_024, inFlight: 16, count: 5_000 },
};

export async function printCosts(names, url) {
  const table = {};
  for (const name of names.filter((one) => !contenders[one].python && !one.includes('>'))) {
    const party = await start(name, url, { OSLO_BENCH_COST: '1' });
    for (const [what, command] of Object.entries(costed)) {
      if (what === 'notification' && !cells['notify 1 KiB x1'].takesPart(name)) continue;
      const { operation, ...rest } = command;
      await party.client.ask(operation, rest);
      const { done, bytes, promises, timers, byFile } = await party.client.ask('cost', { of: operation, ...rest });
      table[`${name}: ${what}`] = {
        bytes: Math.round(bytes / done),
        promises: Number((promises / done).toFixed(2)),
        'timers and immediates': Number((timers / done).toFixed(2)),
      };
      console.log(`\n${name}: bytes of a ${what} by file`);
      const sorted = Object.entries(byFile).toSorted(([, a], [, b]) => b - a);
      for (const [file, size] of sorted.slice(0, 15))
        console.log(`${String(Math.round(size / done)).padStart(7)}  ${file}`);
    }
    end(party);
  }
  console.table(table);
}
