import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { named, peerSet } from '../support/peer-sets.js';

const module = ts.ModuleKind.CommonJS;

const SETS: Readonly<Record<string, string[]>> = {
  'lowest, Nest 11': named(peerSet('lowest', '11')),
  'newest, Nest 11': named(peerSet('newest', '11')),
  'lowest, Nest 12': named(peerSet('lowest', '12')),
  'newest, Nest 12': named(peerSet('newest', '12')),
};

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
    Object.keys(peerSet('lowest', '11')).map((name) => {
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
