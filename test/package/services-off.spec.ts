import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';

/** What `npm run setup` does, with `sleep` in place of apt-get, and a policy that is nobody else's. */
const PROGRAM = `
  import { exitCodeOfSignal, run, runAtOnce, watchSignals } from './scripts/interruptible.mjs';
  import { withServicesOff } from './scripts/services-off.mjs';
  const [path, draft, seconds] = process.argv.slice(1);
  watchSignals();
  try {
    await withServicesOff(() => run('sleep', seconds), { asRoot: runAtOnce, draft, path });
  } catch {
    process.exit(exitCodeOfSignal() ?? 1);
  }
`;

describe('the policy that keeps services off while they are installed', () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'oslo-policy-'));
    path = join(directory, 'policy-rc.d');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const isOff = (): boolean => existsSync(path) && readFileSync(path, 'utf8').includes('exit 101');
  const install = (seconds: number): ChildProcess => {
    const args = ['--input-type=module', '-e', PROGRAM, path, join(directory, 'draft'), String(seconds)];
    return spawn(process.execPath, args, { stdio: 'ignore' });
  };
  const exitOf = async (program: ChildProcess): Promise<unknown> => ((await once(program, 'close')) as unknown[])[0];

  it('goes when all is installed', async () => {
    expect(await exitOf(install(0))).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('goes on %s, at once', async (signal, code) => {
    const program = install(60);
    const exit = exitOf(program);
    await eventually(isOff);
    program.kill(signal);
    expect(await exit).toBe(code);
    expect(existsSync(path)).toBe(false);
  });

  it('gives way to the one that was there before', async () => {
    writeFileSync(path, 'of the system');
    const program = install(60);
    const exit = exitOf(program);
    await eventually(isOff);
    program.kill('SIGINT');
    await exit;
    expect(readFileSync(path, 'utf8')).toBe('of the system');
  });

  it('goes with the next run where a killed one left it behind', async () => {
    const program = install(1);
    const exit = exitOf(program);
    await eventually(isOff);
    program.kill('SIGKILL');
    await exit;
    expect(isOff()).toBe(true);
    expect(await exitOf(install(0))).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});
