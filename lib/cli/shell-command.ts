import { spawn } from 'node:child_process';

/** How a command of the user's is run. */
export interface ShellLimits {
  readonly timeoutMs: number;
  /** Aborted: it is ended. */
  readonly signal: AbortSignal;
}

/** Its end. */
export interface ShellResult {
  /** Null: by a signal. */
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Runs a command by the shell, with a text on its input.
 *
 * @throws Error it cannot be started, takes too long, is ended, or writes more than 16 MiB
 */
export function runShell(command: string, input: string, { timeoutMs, signal }: ShellLimits): Promise<ShellResult> {
  return new Promise((resolve, reject) => {
    // A group of its own: what the shell has started ends with it.
    const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const texts = { out: '', err: '' };
    let bytes = 0;
    const giveUp = (reason: string): void => {
      if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid);
      reject(new Error(`the command '${command}' ${reason}`));
    };
    const interrupted = (): void => giveUp('was interrupted');
    const timer = setTimeout(() => giveUp(`has not ended within ${timeoutMs} ms`), timeoutMs);
    for (const name of ['out', 'err'] as const) {
      child[`std${name}`].setEncoding('utf8').on('data', (text: string) => {
        bytes += Buffer.byteLength(text);
        if (bytes > MOST_BYTES) giveUp('writes too much');
        else texts[name] += text;
      });
    }
    // It need not read what it is given.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', (error) => giveUp(`cannot be started: ${error.message}`));
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', interrupted);
      resolve({ exitCode, ...texts });
    });
    signal.addEventListener('abort', interrupted);
    if (signal.aborted) interrupted();
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It has ended by itself meanwhile.
    if ((error as { code?: unknown }).code !== 'ESRCH') throw error;
  }
}
