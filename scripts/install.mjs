// `npm ci`, where what is installed is not what the lock file says.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

function lockedPackages(file) {
  return existsSync(join(root, file)) ? JSON.parse(readFileSync(join(root, file), 'utf8')).packages : {};
}

function isInstalled() {
  const installed = lockedPackages('node_modules/.package-lock.json');
  // Optional packages are for other platforms.
  return Object.entries(lockedPackages('package-lock.json')).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  );
}

/** Runs a program of the repository in it; whether it succeeded. */
export function run(program, args, environment = {}) {
  const { status } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  });
  return status === 0;
}

export function install() {
  if (isInstalled()) return;
  console.log('Installing the packages of package-lock.json');
  if (!run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])) process.exit(1);
}

/** Names of what a lock file has; the hidden one leaves the project itself out. */
function packagesIn(file) {
  return JSON.stringify(Object.keys(JSON.parse(readFileSync(file, 'utf8')).packages).filter(Boolean));
}

/** The same for a folder with a lock file of its own; whether it succeeded. */
export function installIn(folder) {
  const [wanted, installed] = ['package-lock.json', 'node_modules/.package-lock.json'].map((file) =>
    join(folder, file),
  );
  if (existsSync(installed) && packagesIn(installed) === packagesIn(wanted)) return true;
  return run('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error']);
}
