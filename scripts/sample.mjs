// Installs, builds and runs a sample: `npm run sample -- 02-callback`, `npm start` for the first one.
// Samples are compiled by tsc into .cache/samples (dependency injection needs the types of constructor parameters,
// which stripping types would lose) and import the built package by its name, as their users do.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install, root, run } from './install.mjs';

const samples = join(root, 'sample');
const compiled = join(root, '.cache/samples');
const builtAt = join(compiled, '.built');

function newest(path) {
  const { mtimeMs } = statSync(path);
  const inside = statSync(path).isDirectory() ? readdirSync(path).map((name) => newest(join(path, name))) : [];
  return Math.max(mtimeMs, ...inside);
}

function isBuilt() {
  const sources = ['lib', 'sample', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.sample.json'];
  const results = [builtAt, join(root, 'dist/index.js')];
  return (
    results.every((result) => existsSync(result)) &&
    newest(builtAt) > Math.max(...sources.map((source) => newest(join(root, source))))
  );
}

function build() {
  if (isBuilt()) return;
  console.log('Building the package and the samples');
  if (!run('npm', ['run', '--silent', 'build'])) process.exit(1);
  rmSync(compiled, { recursive: true, force: true });
  if (!run('node_modules/.bin/tsc', ['-p', 'tsconfig.sample.json'])) process.exit(1);
  mkdirSync(compiled, { recursive: true });
  // What a sample brings beside TypeScript, such as a Python program, is found where the sample is.
  cpSync(samples, compiled, { recursive: true, filter: (path) => !/\.(ts|md)$/.test(path) });
  writeFileSync(builtAt, '');
}

const [name, ...rest] = process.argv.slice(2);
install();
build();
if (name !== '--build-only') {
  const all = readdirSync(samples).filter((each) => /^\d/.test(each));
  const sample = all.find((each) => each === name || each.startsWith(`${name}-`));
  if (!sample) {
    console.error(`Which sample? One of: ${all.join(', ')}`);
    process.exit(1);
  }
  const main = join(compiled, sample, 'main.js');
  const program = spawn(process.execPath, ['--enable-source-maps', main, ...rest], { stdio: 'inherit' });
  // Ctrl-C reaches the sample too, which says goodbye to the bus; its end is ours.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => program.kill(signal));
  program.on('exit', (code) => process.exit(code ?? 1));
}
