// Breaks the engine, RPC and notifications on virtual time: one seed is one schedule, the same each time.
// npm run simulate -- --seeds 100000 --from 1 [--mutation NAME | --mutations]
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    mutation: { type: 'string' },
    mutations: { type: 'boolean', default: false },
    minutes: { type: 'string' },
  },
});
const root = new URL('..', import.meta.url);
execFileSync('npx', ['tsc', '-p', 'tsconfig.simulation.json'], { cwd: root, stdio: 'inherit' });
const built = new URL('.cache/simulation/test/simulation/', root);
const [seeds, from, workers] = [values.seeds, values.from, values.workers].map(Number);

/** Runs all seeds; with a mutation it ends at the first that finds it. */
function run(mutation) {
  return new Promise((resolve) => {
    const began = performance.now();
    const failed = [];
    const happened = {};
    let ran = 0;
    let ended = 0;
    const running = [];
    const finish = () => {
      for (const worker of running) void worker.terminate();
      resolve({ ran, failed, happened, seconds: Math.round((performance.now() - began) / 1000) });
    };
    const step = Math.min(workers, seeds);
    for (let share = 0; share < step; share += 1) {
      const workerData = { from: from + share, seeds: seeds - share, step, mutation };
      const worker = new Worker(new URL('worker.js', built), { workerData });
      running.push(worker);
      worker.on('error', (error) => {
        console.error(error);
        failed.push({ seed: 'unknown', violations: [String(error)] });
        finish();
      });
      worker.on('message', (told) => {
        ran += told.ran ?? 0;
        for (const [what, count] of Object.entries(told.happened ?? {})) happened[what] = (happened[what] ?? 0) + count;
        if (told.violations) {
          failed.push(told);
          if (mutation === undefined) console.log(`seed ${told.seed}: ${told.violations.join('; ')}`);
          else finish();
        }
        if (mutation === undefined && ran % 5000 < 50 && told.ran === 50) {
          console.log(`${ran} seeds, ${failed.length} failed, ${Math.round((performance.now() - began) / 1000)} s`);
        }
        // A killed process of a schedule keeps what it held: workers do not end by themselves.
        if (told.done) ended += 1;
        if (ended === step) finish();
        if (values.minutes !== undefined && performance.now() - began > Number(values.minutes) * 60_000) finish();
      });
    }
  });
}

if (values.mutations || values.mutation !== undefined) {
  const { mutations } = await import(new URL('mutations.js', built));
  const names = values.mutation === undefined ? Object.keys(mutations) : [values.mutation];
  let missed = 0;
  for (const name of names) {
    const { failed, seconds } = await run(name);
    const [first] = failed;
    if (first) console.log(`${name}: found by seed ${first.seed} (${first.violations[0]}), ${seconds} s`);
    else missed += console.log(`${name}: NOT found in ${seeds} seeds, ${seconds} s`) ?? 1;
  }
  process.exitCode = missed > 0 ? 1 : 0;
} else {
  const { ran, failed, seconds } = await run();
  const { scheduleOf } = await import(new URL('schedule.js', built));
  const { shrunk } = await import(new URL('shrink.js', built));
  for (const { seed, violations } of failed.slice(0, 3)) {
    if (typeof seed !== 'number') continue;
    const { steps } = await shrunk(scheduleOf(seed));
    console.log(`\nseed ${seed}: ${violations[0]}\n${JSON.stringify({ seed, steps }, null, 2)}`);
  }
  console.log(`${ran} seeds in ${seconds} s, ${failed.length} failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
