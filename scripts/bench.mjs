// Installs and builds what bench/main.mjs compares, starts a RabbitMQ of its own, and runs it: `npm run bench`.
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { install, installIn, root, run } from './install.mjs';

const args = process.argv.slice(2);
const bench = join(root, 'bench');

/** What `npm pack` would carry there. */
function copyPackage(from, name) {
  const to = join(bench, 'node_modules', name);
  rmSync(to, { recursive: true, force: true });
  for (const part of ['dist', 'package.json']) cpSync(join(from, part), join(to, part), { recursive: true });
}

function isErlang(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'beam.smp';
  } catch {
    return false;
  }
}

/** The newest Erlang virtual machine: that of the broker we have started. */
function virtualMachineOf() {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return Math.max(...pids.filter((pid) => isErlang(pid)).map(Number));
}

install();
if (!run(process.execPath, ['scripts/setup.mjs'])) process.exit(1);
// A profile tells files apart.
if (
  !run('npm', ['run', '--silent', args.includes('--profile') || args.includes('--cost') ? 'build:unbundled' : 'build'])
)
  process.exit(1);
if (![bench, join(bench, 'golevelup')].every((folder) => installIn(folder))) process.exit(1);
copyPackage(root, 'nestjs-oslo-messaging');
const against = args.indexOf('--against');
if (against >= 0) copyPackage(resolve(args[against + 1]), 'nestjs-oslo-messaging-before');
if (!run('node_modules/.bin/tsc', ['-p', 'tsconfig.bench.json'])) process.exit(1);

const ownUrl = process.env.OSLO_TEST_RABBIT_URL;
const compiled = (file) => import(pathToFileURL(join(root, '.cache/bench/test/support', file)).href);
const rabbit = ownUrl ? undefined : await (await compiled('rabbit-server.js')).startRabbit();
const url = ownUrl ?? (await compiled('rabbit-url.js')).rabbitUrl(rabbit, '/');
const env = { ...process.env, OSLO_BENCH_URL: url, OSLO_BENCH_BROKER_PID: String(rabbit ? virtualMachineOf() : '') };
const child = spawn(process.execPath, [join(bench, 'main.mjs'), ...args], { cwd: root, stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  void (rabbit?.dispose() ?? Promise.resolve()).finally(() => process.exit(code ?? 1));
});
