// Breaks the bus in every way that we know, again and again: `npm run faults -- --faults 1000 --only 'killed|closed'`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { install, root, run } from './install.mjs';

install();
if (!run(process.execPath, ['scripts/setup.mjs'])) process.exit(1);
if (!run(process.execPath, ['scripts/build-faults.mjs'])) process.exit(1);

const main = join(root, '.cache/faults/test/faults/main.js');
const bench = spawn(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => bench.kill(signal));
bench.on('exit', (code, signal) => {
  if (signal) console.error(`The bench was ended by ${signal}`);
  process.exit(code ?? 1);
});
