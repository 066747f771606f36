import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Manifest {
  peerDependencies: Record<string, string>;
}

const { peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const ranges = Object.entries(peerDependencies);

const module = ts.ModuleKind.CommonJS;

/** A range has an alternative for each major version of Nest; other peers have one for both. */
function ofMajor(range: string, major: string): string {
  return range.split(' || ').find((one) => one.startsWith(`^${major}.`)) ?? range;
}

/** What the package says that it works with: the lowest version of each peer, and the newest, with either Nest. */
const SETS: Readonly<Record<string, string[]>> = Object.fromEntries(
  ['11', '12'].flatMap((major) => {
    const wanted = ranges.map(([name, range]) => [name, ofMajor(range, major)] as const);
    const lowest = wanted.map(([name, range]) => `${name}@${range.replace(/^[\^~]/, '')}`);
    const newest = wanted.map(([name, range]) => `${name}@${range}`);
    return [
      [`lowest, Nest ${major}`, lowest],
      [`newest, Nest ${major}`, newest],
    ] as const;
  }),
);

describe.each(Object.keys(SETS))('with each peer of the version: %s', (set) => {
  let project: string;
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  beforeAll(() => {
    if (!existsSync('dist/index.js')) throw new Error('not built: run `npm run build`');
    project = mkdtempSync(join(tmpdir(), 'oslo-peers-'));
    const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', project];
    const [{ filename }] = JSON.parse(execFileSync('npm', packing, { encoding: 'utf8' })) as [{ filename: string }];
    writeFileSync(join(project, 'package.json'), '{ "private": true }');
    run('npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', join(project, filename), ...SETS[set]!);
    const program = readFileSync('test/package/smoke.mjs', 'utf8');
    writeFileSync(join(project, 'smoke.mjs'), program);
    writeFileSync(join(project, 'smoke.cjs'), ts.transpileModule(program, { compilerOptions: { module } }).outputText);
  }, 180_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const installed = (): string[] =>
    ranges.map(([name]) => {
      const file = join(project, 'node_modules', name, 'package.json');
      return `${name}@${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
    });

  it.each(['smoke.mjs', 'smoke.cjs'])('a Nest application serves, calls and notifies (%s)', (program) => {
    if (set.startsWith('lowest')) expect(installed()).toEqual(SETS[set]);
    expect(JSON.parse(run(process.execPath, program))).toEqual({
      answers: ['pong a ping', 'pong b ping', 'RemoteError ValueError too far'],
      heard: [{ arg: 'a' }, { arg: 'b' }],
    });
  });
});
