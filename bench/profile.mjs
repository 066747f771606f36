// Where the time of a call goes, by file: it inflates what is called often, so it says where to look, not how much it is.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cells } from './cells.mjs';
import { end, start } from './party.mjs';

export async function profiled(names, cellName, url, ms) {
  const cell = cells[cellName] ?? cells[Object.keys(cells).find((name) => name.includes(cellName))];
  if (!cell) throw new Error(`No cell is called '${cellName}': ${Object.keys(cells).join(', ')}`);
  mkdirSync('.cache/bench', { recursive: true });
  for (const name of names) {
    const party = await start(name, url);
    const run = runOf(party, cell);
    await run(2_000);
    const sides = cell.operation === 'listen' ? { server: party.server } : party;
    const roles = Object.keys(sides).filter((role) => role !== 'name');
    for (const role of roles) await sides[role].ask('profile');
    const { done } = await run(Math.max(ms, 3_000));
    for (const role of roles) {
      const profile = await sides[role].ask('profiled');
      writeFileSync(`.cache/bench/${name}-${role}.cpuprofile`, JSON.stringify(profile));
      console.log(`\n${name}, ${role}: µs a call`);
      print(profile, done);
    }
    end(party);
  }
}

function runOf({ client, server }, { operation, bytes, inFlight }) {
  if (operation !== 'listen') return (ms) => client.ask(operation, { bytes, inFlight, ms });
  return async () => {
    const count = 30_000;
    await client.ask('notify', { bytes, count, inFlight: 128 });
    return server.ask('listen', { count });
  };
}

function print({ nodes, samples, timeDeltas }, done) {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const byFile = new Map();
  const byFunction = new Map();
  samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = byId.get(id);
    const file = url.split('/').slice(-2).join('/') || `(${functionName || 'program'})`;
    if (functionName === '(idle)') return;
    add(byFile, file, timeDeltas[index]);
    add(byFunction, `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`, timeDeltas[index]);
  });
  for (const counted of [byFile, byFunction]) {
    const sorted = [...counted].toSorted(([, a], [, b]) => b - a).slice(0, 45);
    for (const [what, us] of sorted) console.log(`${(us / done).toFixed(2).padStart(8)}  ${what}`);
    console.log('');
  }
}

function add(counted, key, us) {
  counted.set(key, (counted.get(key) ?? 0) + us);
}
