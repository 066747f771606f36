// The bench: `npm run bench -- --help`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { cells, smallCells } from './cells.mjs';
import { contenders } from './contenders.mjs';
import { measure, summary } from './measure.mjs';
import { end, start, startUp } from './party.mjs';
import { profiled } from './profile.mjs';
import { printCosts } from './cost-table.mjs';
import { pendingCalls } from './pending.mjs';
import { printCell, printStarts } from './tables.mjs';
import { fanout, soak } from './long.mjs';
import { bearFaults, faultContenders } from './faults.mjs';

const help = `npm run bench [-- OPTIONS]

  --cells LIST       parts of the names of cells, with commas: ${Object.keys(cells).join(', ')},
                     start, pending; all but the long ones by default
  --contenders LIST  names, with commas: ${Object.keys(contenders).join(', ')}
  --rounds N         runs of each contender in each cell (5)
  --ms N             milliseconds of a run (1000)
  --against DIR      another checkout that is built: its contenders are core-before and nest-before
  --small            four cells that say most
  --long             fanout to 10 servers and a soak, nothing else
  --minutes N        of the soak (10)
  --faults           what nest, nest-rmq, golevelup and python-18 keep when the bus breaks; --rounds 1 takes 25 minutes,
                     --cells chooses faults
  --profile CELL     µs of a call by file, and a CPU profile of each process in .cache/bench
  --cost             allocations, promises, closures and timers for each call, cast and notification
  --json FILE        where the numbers go (.cache/bench/results.json)`;

const { values: options } = parseArgs({
  options: {
    cells: { type: 'string' },
    contenders: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '1000' },
    against: { type: 'string' },
    small: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    profile: { type: 'string' },
    cost: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
    faults: { type: 'boolean', default: false },
    json: { type: 'string', default: '.cache/bench/results.json' },
    help: { type: 'boolean', default: false },
  },
});
const url = process.env.OSLO_BENCH_URL;
const brokerPid = Number(process.env.OSLO_BENCH_BROKER_PID) || undefined;

const partsOf = (list) => list.split(',').map((part) => part.trim());
const names = options.contenders
  ? partsOf(options.contenders)
  : Object.keys(contenders).filter((name) => options.against || !name.endsWith('-before'));
const chosen = options.small ? smallCells : Object.keys(cells);
const isChosen = (name) => !options.cells || partsOf(options.cells).some((part) => name.includes(part));
const results = {
  machine: { cpu: cpus()[0]?.model, cpus: cpus().length, memory: totalmem(), arch: arch(), node: process.version },
  rounds: Number(options.rounds),
  ms: Number(options.ms),
  cells: {},
};

/** A B C … C B A: what drifts hits all alike. */
async function compete(parties) {
  for (const name of chosen.filter((cell) => isChosen(cell))) {
    const cell = cells[name];
    const taking = parties.filter((party) => cell.takesPart(party.name));
    const runs = new Map(taking.map((party) => [party, []]));
    for (let round = 0; round < results.rounds; round += 1) {
      for (const party of round % 2 ? taking.toReversed() : taking) {
        runs.get(party).push(await measure(party, cell, results.ms, brokerPid));
      }
    }
    results.cells[name] = Object.fromEntries([...runs].map(([party, all]) => [party.name, summary(all)]));
    printCell(name, cell.about, results.cells[name]);
  }
}

/** V8 goes on optimising for some thousands of calls: the first cell would measure its compiler. */
async function warmUp({ client, name }) {
  for (const inFlight of [16, 1, 128]) await client.ask('call', { bytes: 100, inFlight, count: 5_000, ms: 3_000 });
  if (cells['notify 1 KiB x1'].takesPart(name)) await client.ask('notify', { bytes: 1_024, inFlight: 16, count: 500 });
}

/** Without the library loaded twice, one after the other. */
async function starts() {
  const taking = names.filter((name) => !name.includes('>'));
  const runs = Object.fromEntries(taking.map((name) => [name, []]));
  for (let round = 0; round < Math.min(results.rounds, 5); round += 1) {
    for (const name of round % 2 ? taking.toReversed() : taking) runs[name].push(await startUp(name, url));
  }
  results.starts = Object.fromEntries(Object.entries(runs).map(([name, all]) => [name, summary(all)]));
  printStarts(results.starts);
}

async function all() {
  const parties = [];
  try {
    for (const name of names) parties.push(await start(name, url));
    for (const party of parties) await warmUp(party);
    await compete(parties);
  } finally {
    parties.forEach((party) => end(party));
  }
  if (isChosen('start') && !options.small) await starts();
  if (isChosen('pending') && !options.small) results.pending = await pendingCalls(names, url);
}

if (options.help) console.log(help);
else if (options.profile) await profiled(names, options.profile, url, results.ms);
else if (options.cost) await printCosts(names, url);
else if (options.faults)
  results.faults = await bearFaults(options.contenders ? names : faultContenders, results.rounds, isChosen);
else if (options.long)
  Object.assign(results, { fanout: await fanout(url), soak: await soak(url, Number(options.minutes)) });
else await all();

// Other modes have numbers of their own, which they print.
if (Object.keys(results.cells).length > 0 || options.long || options.faults) {
  mkdirSync('.cache/bench', { recursive: true });
  const file = options.long ? '.cache/bench/long.json' : options.faults ? '.cache/bench/faults.json' : options.json;
  writeFileSync(file, JSON.stringify(results, null, 2));
}
process.exit(0);
