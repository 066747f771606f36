import { readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { ConfigurationError } from '../errors/configuration.errors.js';
import { textOf } from '../errors/text-of.js';

const directory = '/dev/shm';
const pauseMs = 5;

/** The processes that belong together: all of a process group, from its start on. */
interface Generation {
  readonly group: number;
  /** Of the group's first process, in clock ticks since the machine was started; undefined when that has ended. */
  readonly startTime: number | undefined;
}

/**
 * The next number of this service on this host: 1 for the first process after a start, 2 for the second, …
 *
 * Mirrors `QManager` of Python's driver: the same file, with the same text `<process group>:<counter>:<start time>`. Its lock
 * is one that Python does not know, so that no Python service on the host may have the same process name.
 *
 * @throws ConfigurationError where there is no shared memory or no `/proc`, as on systems that are no Linux, or where somebody
 *   else holds the lock for `longestWaitMs`. `option`: what it calls the option
 */
export function nextOfProcess(
  hostname: string,
  processname: string,
  { option = 'useQueueManager', longestWaitMs = 5_000 }: { option?: string; longestWaitMs?: number } = {},
): number {
  const path = `${directory}/${hostname}_${processname}_qmanager`;
  try {
    return locked(`${path}.nestjs-lock`, performance.now() + longestWaitMs, () => {
      const { group, startTime } = ownGeneration();
      const last = lastOf(path, { group, startTime });
      const counter = (last?.counter ?? 0) + 1;
      replace(path, `${group}:${counter}:${startTime ?? last?.startTime ?? 0}`);
      return counter;
    });
  } catch (error) {
    throw new ConfigurationError(`Option ${option}: no number for this process: ${textOf(error)}`, path, {
      cause: error,
    });
  }
}

interface LastNumber {
  readonly counter: number;
  readonly startTime: number;
}

/** Undefined: nobody of this generation has taken a number. */
function lastOf(path: string, { group, startTime }: Generation): LastNumber | undefined {
  const text = ifThere(() => readFileSync(path, 'utf8'));
  const [ofGroup, counter, since] = (text ?? '').trim().split(':').map(Number);
  if (ofGroup !== group || !Number.isSafeInteger(counter) || !Number.isSafeInteger(since)) return undefined;
  // The number of a group goes to nobody else while a process of it lives: it is the same group, or one that has ended.
  return startTime === undefined || since === startTime ? { counter: counter!, startTime: since! } : undefined;
}

/** A reader finds the old text or the new one, also when this process is killed here. Only who holds the lock comes here. */
function replace(path: string, text: string): void {
  const fresh = `${path}.nestjs-new`;
  // Left by one that was killed; in a folder that all may write to it is made new, and not written into.
  rmSync(fresh, { force: true });
  writeFileSync(fresh, text, { flag: 'wx' });
  renameSync(fresh, path);
}

/** Asked each time: a supervisor may move the process into a group of its own. */
function ownGeneration(): Generation {
  const group = Number(statOf('self')[2]);
  // In some containers a process has no group.
  const leader = group || process.pid;
  // Behind a shell the first process has ended, and the others must still agree. Python gives up there.
  return { group, startTime: ifThere(() => Number(statOf(leader)[startedAt])) };
}

const startedAt = 19;

/** The fields behind the name, which may hold spaces: state, parent, group, … */
function statOf(pid: number | 'self'): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/**
 * Runs it while this process holds the lock: a link that names its holder, so that it is never there without a name. One whose
 * holder has died is taken away by who holds the lock for that, so that nobody takes away another's.
 */
function locked<Result>(path: string, giveUpAt: number, run: () => Result): Result {
  while (!hasTaken(path)) {
    const holder = holderOf(path);
    if (holder === undefined) continue;
    if (!isAlive(holder)) {
      locked(`${path}.stale`, giveUpAt, () => {
        if (holderOf(path) === holder) unlinkSync(path);
      });
    } else if (performance.now() > giveUpAt) {
      throw new Error(`process ${holder.split(':')[0]} holds the lock ${path}`);
    } else {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
  try {
    return run();
  } finally {
    unlinkSync(path);
  }
}

function hasTaken(path: string): boolean {
  try {
    symlinkSync(`${process.pid}:${statOf('self')[startedAt]}`, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** `<process>:<start time>`; undefined: nobody. */
function holderOf(path: string): string | undefined {
  return ifThere(() => readlinkSync(path));
}

/** False also where its number has gone to another process, and while nobody has asked how it ended. */
function isAlive(holder: string): boolean {
  const [pid, startTime] = holder.split(':');
  const stat = ifThere(() => statOf(Number(pid)));
  return stat !== undefined && stat[startedAt] === startTime && !/[ZXx]/.test(stat[0]!);
}

/** Undefined where the file, or the process, is not there. */
function ifThere<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
