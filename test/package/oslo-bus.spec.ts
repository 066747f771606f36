import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** A directory with nothing but the one file. */
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'oslo-bus-'));
  cpSync(resolve('dist/oslo-bus.mjs'), join(directory, 'oslo-bus.mjs'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(join(directory, 'oslo-bus.mjs'), args, {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: directory },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

it('the command line is one file that runs alone', () => {
  const { status, stdout } = run('--help');
  expect(status).toBe(0);
  const names =
    'call cast fanout notify serve replay bench ping versions why doctor listen tap record trace top topology context completion';
  for (const name of names.split(' ')) expect(stdout).toContain(`\n  ${name} `);
});

it('it has the version of the package, and nothing of Nest', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(run('--version').stdout.trim()).toBe(version);
  expect(readFileSync(join(directory, 'oslo-bus.mjs'), 'utf8')).not.toContain('@nestjs');
});

it('it speaks to a bus, and says why it cannot', () => {
  const { status, stdout, stderr } = run(
    'ping',
    'conductor',
    '--transport-url',
    'rabbit://u:geheim@127.0.0.1:1/',
    '--json',
  );
  expect(status).toBe(69);
  expect(JSON.parse(stdout)).toMatchObject({ v: 1, command: 'ping', error: { code: 'OSLO_DELIVERY', exit: 69 } });
  expect(stdout + stderr).not.toContain('geheim');
});

it('it is a package of its own, which depends on nothing', () => {
  const described = JSON.parse(readFileSync('.cache/oslo-bus/package.json', 'utf8')) as Record<string, unknown>;
  expect(described).toMatchObject({ name: 'oslo-bus', bin: { 'oslo-bus': 'oslo-bus.mjs' } });
  expect(described).not.toHaveProperty('dependencies');
  expect(described).not.toHaveProperty('peerDependencies');
});
