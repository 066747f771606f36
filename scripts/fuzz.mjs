// Mutated messages in a long row: `npm run fuzz`, `FUZZ_MUTANTS=500000 npm run fuzz`, `FUZZ_SEED=7 npm run fuzz`.
import { run } from './install.mjs';

process.env.FUZZ_MUTANTS ??= '100000';
if (!run('node_modules/.bin/vitest', ['run', '--project', 'broker', 'test/broker/fuzz'])) process.exitCode = 1;
