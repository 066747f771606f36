import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { CommandEnd, type ExitCode } from '../exit-codes.js';
import type { MeasuredRequest } from './load-generator.js';
import type { LoadTally } from './load-tally.js';

/** The cost of a load, to ourselves. */
export interface OwnCost {
  /** Milliseconds of processor time. */
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

/** The result of one process. */
export interface LoadReport extends OwnCost {
  readonly elapsedMs: number;
  /** Answers to calls that had timed out. */
  readonly late: number;
}

/** From a process that generates load to the one that adds up. */
export type FromProcess =
  | { readonly name: 'batch'; readonly requests: readonly MeasuredRequest[] }
  | { readonly name: 'ended'; readonly report: LoadReport }
  | { readonly name: 'ready' };
/** And back. */
export type ToProcess = 'go' | 'stop';

/** The part that one of several processes has in a load. */
export interface Share {
  readonly index: number;
  readonly of: number;
}

/** The number that one process sends of so many. */
export function shareOf(total: number, { index, of }: Share): number {
  return Math.floor(total / of) + (index < total % of ? 1 : 0);
}

/** `2/4`: the third of four. */
export function shareIn(text: string): Share {
  const [index = 0, of = 1] = text.split('/').map(Number);
  return { index, of };
}

/** Begins with all processes at the same time, and adds up what they tell. @throws Error one has ended too early */
export async function loadOfProcesses(
  children: readonly ChildProcess[],
  tally: LoadTally,
  interrupted: AbortSignal,
): Promise<LoadReport> {
  const reports: LoadReport[] = [];
  let ready = 0;
  const send = (word: ToProcess): void => {
    for (const child of children) if (child.connected) child.send(word);
  };
  const stop = (): void => send('stop');
  interrupted.addEventListener('abort', stop);
  const ends = children.map(async (child) => {
    child.on('message', (message: FromProcess) => {
      if (message.name === 'ready' && ++ready === children.length) send('go');
      if (message.name === 'ended') reports.push(message.report);
      if (message.name !== 'batch') return;
      for (const request of message.requests) tally.add(request);
    });
    await once(child, 'close');
  });
  try {
    // One that ends without a report has said why on stderr; without it the others' numbers would be no answer.
    await Promise.race([Promise.all(ends), anyFailure(children, interrupted)]);
  } finally {
    interrupted.removeEventListener('abort', stop);
    for (const child of children) child.kill();
  }
  return summed(reports);
}

async function anyFailure(children: readonly ChildProcess[], interrupted: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    for (const child of children) {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        // A terminal interrupts all of them, also one that has not begun yet.
        if (code === 0 || interrupted.aborted) return;
        if (code === null) reject(new Error(`a process of the load has ended with ${signal}`));
        else reject(new CommandEnd(code as ExitCode));
      });
    }
  });
}

function summed(reports: readonly LoadReport[]): LoadReport {
  const sum = (of: (report: LoadReport) => number): number => reports.reduce((all, report) => all + of(report), 0);
  return {
    elapsedMs: Math.max(0, ...reports.map(({ elapsedMs }) => elapsedMs)),
    late: sum(({ late }) => late),
    cpuMs: sum(({ cpuMs }) => cpuMs),
    memoryBytes: sum(({ memoryBytes }) => memoryBytes),
  };
}

/** The other end: tells what it measures, five times a second. */
export class ParentProcess {
  private requests: MeasuredRequest[] = [];
  private readonly timer: NodeJS.Timeout;
  private readonly stopping = new AbortController();

  constructor(private readonly own: NodeJS.Process) {
    this.timer = setInterval(() => this.flush(), BATCH_MS);
    // Nobody would take what is measured any more.
    own.once('disconnect', () => this.stopping.abort());
    // It may have been killed before we could listen.
    if (!own.connected) this.stopping.abort();
    own.on('message', (word: ToProcess) => void (word === 'stop' && this.stopping.abort()));
  }

  get stopped(): AbortSignal {
    return this.stopping.signal;
  }

  /** Resolves when all others are ready, too. */
  async begin(): Promise<void> {
    this.tell({ name: 'ready' });
    await new Promise<void>((resolve) => {
      this.own.on('message', (word: ToProcess) => void (word === 'go' && resolve()));
      this.stopped.addEventListener('abort', () => resolve());
      if (this.stopped.aborted) resolve();
    });
  }

  measured(request: MeasuredRequest): void {
    this.requests.push(request);
  }

  end(report: LoadReport): void {
    clearInterval(this.timer);
    this.flush();
    this.tell({ name: 'ended', report });
    if (this.own.connected) this.own.disconnect();
  }

  private flush(): void {
    this.tell({ name: 'batch', requests: this.requests });
    this.requests = [];
  }

  private tell(message: FromProcess): void {
    if (this.own.connected) this.own.send?.(message);
  }
}

const BATCH_MS = 200;
