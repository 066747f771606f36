import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { afterEach, expect, it } from 'vitest';
import { ConfigurationError } from '../../../lib/index.js';
import { nextOfProcess } from '../../../lib/config/process-counter.js';

const askGroup = 'import os, sys; print(os.getpgid(int(sys.argv[1])))';
const group = Number(execFileSync('python3', ['-c', askGroup, String(process.pid)], { encoding: 'utf8' }));
const host = 'h1';
const processname = `test-${randomUUID()}`;
const file = `/dev/shm/${host}_${processname}_qmanager`;

/** What a process of its own runs that takes so many numbers. */
function numbersProgram(count: number): string {
  const source = readFileSync(resolve('lib/config/process-counter.ts'), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext } });
  const own = outputText.replace(/^import .*configuration\.errors.*$/m, 'class ConfigurationError extends Error {}');
  const ask = `nextOfProcess(${JSON.stringify(host)}, ${JSON.stringify(processname)})`;
  return `${own}; for (let n = 0; n < ${count}; n++) console.log(${ask});`;
}

afterEach(() => {
  for (const path of [file, `${file}.nestjs-lock`]) rmSync(path, { force: true });
});

it('counts the processes of one generation, in the words of Python', () => {
  expect([1, 2, 3].map(() => nextOfProcess(host, processname))).toEqual([1, 2, 3]);
  const [ofGroup, counter, startTime] = readFileSync(file, 'utf8').split(':');
  expect([ofGroup, counter]).toEqual([String(group), '3']);
  expect(Number(startTime)).toBeGreaterThan(0);
  expect(existsSync(`${file}.nestjs-lock`)).toBe(false);
});

it.each([['1:7:1'], ['rubbish'], [''], ['1:2']])('begins anew after a start, or where the file says %j', (text) => {
  writeFileSync(file, text);
  expect(nextOfProcess(host, processname)).toBe(1);
});

it('goes on from the number of another process of its group', () => {
  nextOfProcess(host, processname);
  writeFileSync(file, readFileSync(file, 'utf8').replace(':1:', ':41:'));
  expect(nextOfProcess(host, processname)).toBe(42);
});

it('agrees with its group when the first process of that has ended', async () => {
  const program = numbersProgram(1);
  // A shell leads a group of its own, and ends before the two that it starts.
  const script = `(while kill -0 $$ 2>/dev/null; do :; done; "$0" --input-type=module -e "$1"; "$0" --input-type=module -e "$1") & `;
  const shell = spawn('sh', ['-c', script, process.execPath, program], { detached: true });
  let output = '';
  shell.stdout.on('data', (text: Buffer) => (output += text.toString()));
  await once(shell, 'close');
  expect(output.trim().split('\n').map(Number)).toEqual([1, 2]);
});

it('breaks a lock whose holder has died with it', () => {
  writeFileSync(`${file}.nestjs-lock`, '1');
  const long = new Date(Date.now() - 60_000);
  utimesSync(`${file}.nestjs-lock`, long, long);
  expect(nextOfProcess(host, processname)).toBe(1);
});

it('gives no number twice to processes that ask at the same time', async () => {
  const program = numbersProgram(25);
  const runs = Array.from({ length: 4 }, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    await once(child, 'close');
    return output.trim().split('\n').map(Number);
  });
  const numbers = (await Promise.all(runs)).flat();
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
});

it('says what is missing', () => {
  expect(() => nextOfProcess('no/such/directory', 'x')).toThrow(ConfigurationError);
  expect(() => nextOfProcess('no/such/directory', 'x')).toThrow(/Option useQueueManager: no number.*ENOENT/);
});
