import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Manifest {
  peerDependencies: Record<string, string>;
}

const { peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const ranges = Object.entries(peerDependencies);

const majors = peerDependencies['@nestjs/core']!.split(' || ').map((range) => Number(/\d+/.exec(range)));
/** The alternative of a range that goes with this major of Nest. */
const rangeFor = (major: number, range: string): string => {
  const alternatives = range.split(' || ');
  return alternatives[majors.indexOf(major)] ?? alternatives[0]!;
};

/** What the package says that it works with: of each major of Nest, the lowest version of each peer, and the newest. */
const SETS: Readonly<Record<string, string[]>> = Object.fromEntries(
  majors.flatMap((major) => {
    const ofMajor = ranges.map(([name, range]) => [name, rangeFor(major, range)] as const);
    return [
      [`lowest of Nest ${major}`, ofMajor.map(([name, range]) => `${name}@${range.replace(/^[\^~]/, '')}`)],
      [`newest of Nest ${major}`, ofMajor.map(([name, range]) => `${name}@${range}`)],
    ];
  }),
);

describe.each(Object.keys(SETS))('with the peers that are the %s', (set) => {
  let project: string;
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  beforeAll(() => {
    if (!existsSync('dist/index.js')) throw new Error('not built: run `npm run build`');
    project = mkdtempSync(join(tmpdir(), 'oslo-peers-'));
    const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', project];
    const [{ filename }] = JSON.parse(execFileSync('npm', packing, { encoding: 'utf8' })) as [{ filename: string }];
    writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
    run('npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', join(project, filename), ...SETS[set]!);
    copyFileSync('test/package/smoke.mjs', join(project, 'smoke.mjs'));
  }, 180_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const installed = (): string[] =>
    ranges.map(([name]) => {
      const file = join(project, 'node_modules', name, 'package.json');
      return `${name}@${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
    });

  it('a Nest application serves, calls and notifies', () => {
    if (set.startsWith('lowest')) expect(installed()).toEqual(SETS[set]);
    expect(JSON.parse(run(process.execPath, 'smoke.mjs'))).toEqual({
      answers: ['pong a ping', 'pong b ping', 'RemoteError ValueError too far'],
      heard: [{ arg: 'a' }, { arg: 'b' }],
    });
  });
});
