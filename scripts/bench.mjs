// Installs, builds and runs bench/main.ts: `npm run bench`. It measures the built package, imported by its name.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { install, root, run } from './install.mjs';

install();
if (!run(process.execPath, ['scripts/setup.mjs'])) process.exit(1);
if (!run('npm', ['run', '--silent', 'build'])) process.exit(1);
if (!run('node_modules/.bin/tsc', ['-p', 'tsconfig.bench.json'])) process.exit(1);

const main = join(root, '.cache/bench/bench/main.js');
const bench = spawn(process.execPath, [main, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => bench.kill(signal));
bench.on('exit', (code) => process.exit(code ?? 1));
