import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  lutimesSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { afterEach, expect, it, vi } from 'vitest';
import { ConfigurationError } from '../../../lib/index.js';
import { nextOfProcess } from '../../../lib/config/process-counter.js';

const askGroup = 'import os, sys; print(os.getpgid(int(sys.argv[1])))';
const group = Number(execFileSync('python3', ['-c', askGroup, String(process.pid)], { encoding: 'utf8' }));
const host = 'h1';
const processname = `test-${randomUUID()}`;
const directory = '/dev/shm';
const file = `${directory}/${host}_${processname}_qmanager`;
const lock = `${file}.nestjs-lock`;
/** No process has this number: Linux gives none above 2^22. */
const dead = '9999999:1';

function filesLeft(): string[] {
  return readdirSync(directory).filter((name) => name.includes(processname));
}

/** As a lock names its holder. */
function holderName(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return `${pid}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
}

/** What a process of its own runs that takes so many numbers. */
function numbersProgram(count: number): string {
  const source = readFileSync(resolve('lib/config/process-counter.ts'), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext } });
  const own = outputText
    .replace(/^import .*configuration\.errors.*$/m, 'class ConfigurationError extends Error {}')
    .replace(/^import .*text-of.*$/m, 'const textOf = String;');
  const ask = `nextOfProcess(${JSON.stringify(host)}, ${JSON.stringify(processname)})`;
  return `${own}; for (let n = 0; n < ${count}; n++) console.log(${ask});`;
}

afterEach(() => {
  for (const name of filesLeft()) rmSync(`${directory}/${name}`, { force: true });
});

it('counts the processes of one generation, in the words of Python', () => {
  expect([1, 2, 3].map(() => nextOfProcess(host, processname))).toEqual([1, 2, 3]);
  const [ofGroup, counter, startTime] = readFileSync(file, 'utf8').split(':');
  expect([ofGroup, counter]).toEqual([String(group), '3']);
  expect(Number(startTime)).toBeGreaterThan(0);
  expect(filesLeft()).toHaveLength(1);
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

it('goes on when the first process of the group ends after one of the group has taken a number', async () => {
  const program = numbersProgram(1);
  // The second one waits for the end of the shell, and of it alone.
  const script = `"$0" --input-type=module -e "$1"; (while kill -0 $$ 2>/dev/null; do :; done; "$0" --input-type=module -e "$1") & `;
  const shell = spawn('sh', ['-c', script, process.execPath, program], { detached: true });
  let output = '';
  shell.stdout.on('data', (text: Buffer) => (output += text.toString()));
  await once(shell, 'close');
  expect(output.trim().split('\n').map(Number)).toEqual([1, 2]);
});

it.each([
  ['that has died', [lock]],
  ['that has died, and so has who took its lock away', [lock, `${lock}.stale`]],
])('takes over the lock of a process %s', (_, locks) => {
  for (const path of locks) symlinkSync(dead, path);
  expect(nextOfProcess(host, processname)).toBe(1);
  expect(filesLeft()).toHaveLength(1);
});

it('takes over the lock of a process whose number another one has now', () => {
  symlinkSync(`${process.pid}:1`, lock);
  expect(nextOfProcess(host, processname)).toBe(1);
});

it('takes over the lock of a process that was killed, and whose parent has not asked', async () => {
  // The shell never asks for the end of its child: it becomes another program.
  const parent = spawn('sh', ['-c', 'sleep 100 & echo $!; exec sleep 100']);
  const [text] = (await once(parent.stdout, 'data')) as [Buffer];
  const child = Number(text.toString());
  const name = holderName(child);
  process.kill(child, 'SIGKILL');
  await vi.waitUntil(() => readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z '));
  symlinkSync(name, lock);
  expect(nextOfProcess(host, processname)).toBe(1);
  parent.kill();
});

it('takes no lock from a process that lives, however old the lock is', () => {
  const name = holderName(process.pid);
  symlinkSync(name, lock);
  const long = new Date(Date.now() - 60_000);
  lutimesSync(lock, long, long);
  const holder = `process ${process.pid} holds the lock ${lock}`;
  expect(() => nextOfProcess(host, processname, { longestWaitMs: 20 })).toThrow(holder);
  expect(readlinkSync(lock)).toBe(name);
});

it('never writes into the file that stands there, so that being killed does not empty it', () => {
  nextOfProcess(host, processname);
  const open = openSync(file, 'r');
  // What somebody left who was killed while he wrote.
  writeFileSync(`${file}.nestjs-new`, '');
  expect(nextOfProcess(host, processname)).toBe(2);
  expect(readFileSync(open, 'utf8')).toContain(':1:');
  closeSync(open);
});

it('gives no number twice while processes that ask are killed', async () => {
  const program = numbersProgram(100_000);
  const numbers: number[] = [];
  for (let round = 0; round < 2; round++) {
    const children = [1, 2, 3].map(() => spawn(process.execPath, ['--input-type=module', '-e', program]));
    const outputs = children.map(async (child, index) => {
      let output = '';
      for await (const text of child.stdout as AsyncIterable<Buffer>) {
        output += text.toString();
        if (output.length > 100 * (index + 1)) child.kill('SIGKILL');
      }
      return output.split('\n').slice(0, -1).map(Number);
    });
    numbers.push(...(await Promise.all(outputs)).flat());
  }
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(nextOfProcess(host, processname)).toBeGreaterThan(Math.max(...numbers));
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
