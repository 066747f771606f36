import { closeSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { ConfigurationError } from '../errors/configuration.errors.js';

const directory = '/dev/shm';
/** Somebody who holds the lock for longer has died with it. */
const staleMs = 2_000;
const longestWaitMs = 5_000;
const pauseMs = 5;

/** The processes that belong together: all of a process group, from its start on. */
interface Generation {
  readonly group: number;
  /** Of the group's first process, in clock ticks since the machine was started. */
  readonly startTime: number;
}

/**
 * The next number of this service on this host: 1 for the first process after a start, 2 for the second, …
 *
 * Mirrors `QManager` of Python's driver: the same file, with the same text `<process group>:<counter>:<start time>`. Its lock
 * is one that Python does not know, so that no Python service on the host may have the same process name.
 *
 * @throws ConfigurationError where there is no shared memory or no `/proc`, as on systems that are no Linux
 */
export function nextOfProcess(hostname: string, processname: string): number {
  const path = `${directory}/${hostname}_${processname}_qmanager`;
  try {
    const unlock = lock(`${path}.nestjs-lock`);
    try {
      const generation = ownGeneration();
      const counter = counterIn(path, generation) + 1;
      writeFileSync(path, `${generation.group}:${counter}:${generation.startTime}`);
      return counter;
    } finally {
      unlock();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError(`Option useQueueManager: no number for this process: ${reason}`, path, {
      cause: error,
    });
  }
}

/** 0: nobody of this generation has taken a number. */
function counterIn(path: string, { group, startTime }: Generation): number {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return 0;
  }
  const [ofGroup, counter, since] = text.trim().split(':').map(Number);
  return ofGroup === group && since === startTime && Number.isSafeInteger(counter) ? counter! : 0;
}

/** Asked each time: a supervisor may move the process into a group of its own. */
function ownGeneration(): Generation {
  const group = Number(statOf('self')[2]);
  // In some containers a process has no group.
  const leader = group || process.pid;
  return { group, startTime: startTimeOf(leader) };
}

/** 0 where the first process of a group has ended, as behind a shell: the others must still agree. Python gives up there. */
function startTimeOf(pid: number): number {
  try {
    return Number(statOf(pid)[19]);
  } catch {
    return 0;
  }
}

/** What comes behind the name, which may hold spaces: state, parent, group, … */
function statOf(pid: number | 'self'): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Returns what gives it back. */
function lock(path: string): () => void {
  const giveUpAt = performance.now() + longestWaitMs;
  for (;;) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, String(process.pid));
      closeSync(file);
      return () => unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || performance.now() > giveUpAt) throw error;
      if (!breakStale(path)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}

/** Moved away first: of several who find it stale, one succeeds. */
function breakStale(path: string): boolean {
  try {
    if (Date.now() - statSync(path).mtimeMs < staleMs) return false;
    const aside = `${path}.${process.pid}`;
    renameSync(path, aside);
    unlinkSync(aside);
    return true;
  } catch {
    return false;
  }
}
