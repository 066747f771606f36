import { parseArgs } from 'node:util';
import type { Fault } from './bench/fault.js';
import { type FaultRow, faultTable } from './bench/fault-report.js';
import { Round, type RoundResult } from './bench/round.js';
import { Scene, type SceneKind } from './bench/scene.js';
import { allFaults } from './faults/all-faults.js';

// The long form: `npm run faults -- --faults 1000 --seconds 3600 --only 'killed|closed'`.
const { values } = parseArgs({
  options: {
    /** How many in all, in turn. */
    faults: { type: 'string', default: '1000' },
    /** Stops early. */
    seconds: { type: 'string', default: 'Infinity' },
    /** A regular expression for names. */
    only: { type: 'string', default: '' },
    /** Tells what was reported in each round. */
    verbose: { type: 'boolean', default: false },
  },
});

/** Memory is compared with what it was when what is kept on purpose, as the ids of late answers, was there. */
const GROWTH = 1.1;
const WARM_UP = 0.25;
const SCENES: readonly SceneKind[] = ['broker', 'line', 'cluster'];

const endsAt = performance.now() + Number(values.seconds) * 1_000;
const chosen = allFaults.filter(({ name }) => new RegExp(values.only).test(name));
const results: RoundResult[] = [];
const violations: string[] = [];
const notes: string[] = [];

function isOver(): boolean {
  return performance.now() >= endsAt;
}

async function inject(scene: Scene, fault: Fault): Promise<void> {
  const result = await new Round(scene, fault).run();
  results.push(result);
  violations.push(...result.violations.map((violation) => `${fault.name}: ${violation}`));
  notes.push(...result.notes.map((note) => `${fault.name}: ${note}`));
  const recovery = result.recoveryMs === undefined ? 'not recovered' : `${Math.round(result.recoveryMs)} ms`;
  console.error(`${results.length} ${fault.name}: ${recovery} ${[...result.violations, ...result.notes].join('; ')}`);
  if (values.verbose) console.error(`  ${result.story}`);
}

/** The faults of one scene in turn, `rounds` times each. */
async function runScene(kind: SceneKind, faults: readonly Fault[], rounds: number): Promise<void> {
  const scene = await Scene.open(kind);
  try {
    let before: Record<string, number> | undefined;
    for (let round = 0; round < rounds && !isOver(); round += 1) {
      for (const fault of faults) if (!isOver()) await inject(scene, fault);
      if (round >= rounds * WARM_UP) before ??= await scene.memory();
    }
    report(kind, before ?? {}, await scene.memory());
  } finally {
    await scene.close();
  }
}

function report(kind: SceneKind, before: Record<string, number>, after: Record<string, number>): void {
  for (const [name, mebibytes] of Object.entries(after)) {
    const was = before[name] ?? mebibytes;
    console.log(`memory of ${name} (${kind}): ${was.toFixed(1)} MiB before, ${mebibytes.toFixed(1)} MiB after`);
    if (mebibytes > was * GROWTH) violations.push(`memory of ${name} (${kind}) grew from ${was} to ${mebibytes} MiB`);
  }
}

const rounds = Math.max(1, Math.round(Number(values.faults) / Math.max(1, chosen.length)));
for (const kind of SCENES) {
  const faults = chosen.filter(({ scene }) => scene === kind);
  if (faults.length > 0 && !isOver()) await runScene(kind, faults, rounds);
}
const rows: FaultRow[] = chosen
  .map(({ name }) => ({ fault: name, results: results.filter(({ fault }) => fault === name) }))
  .filter(({ results: some }) => some.length > 0);
console.log(faultTable(rows));
if (notes.length > 0) console.log(`Left behind by the broker:\n${notes.join('\n')}`);
console.log(violations.length === 0 ? 'All claims hold.' : `Claims that do not hold:\n${violations.join('\n')}`);
process.exitCode = violations.length === 0 ? 0 : 1;
