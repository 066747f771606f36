// `--cost`: what a call, a cast and a notification cost each side of a contender.
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
    for (const [what, { operation, ...rest }] of Object.entries(costed)) {
      if (what === 'notification' && !cells['notify 1 KiB x1'].takesPart(name)) continue;
      const roles = what === 'notification' ? ['client'] : ['client', 'server'];
      await party.client.ask(operation, rest);
      for (const role of roles) await party[role].ask('costs');
      const { done } = await party.client.ask(operation, rest);
      for (const role of roles) {
        const { byFile, ...counted } = await party[role].ask('costed');
        const each = Object.entries(counted).map(([key, value]) => [key, Number((value / done).toFixed(2))]);
        table[`${name}, ${role}: ${what}`] = Object.fromEntries(each);
        printFiles(`${name}, ${role}: bytes of a ${what} by file`, byFile, done);
      }
    }
    end(party);
  }
  console.table(table);
}

function printFiles(title, byFile, done) {
  console.log(`\n${title}`);
  const sorted = Object.entries(byFile).toSorted(([, a], [, b]) => b - a);
  for (const [file, size] of sorted.slice(0, 12))
    console.log(`${String(Math.round(size / done)).padStart(7)}  ${file}`);
}
