import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from '../../support/eventually.js';

/** A Python program that tells by lines of JSON on its output, and ends with its input. */
export class PythonLines<Line extends object> {
  readonly lines: Line[] = [];
  private stderr = '';
  private readonly exited: Promise<void>;

  private constructor(private readonly process: ChildProcessWithoutNullStreams) {
    createInterface({ input: process.stdout }).on('line', (line) => this.lines.push(JSON.parse(line) as Line));
    process.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (this.stderr = (this.stderr + text).slice(-20_000)));
    process.stdin.on('error', () => undefined);
    this.exited = new Promise((settle) => process.once('exit', () => settle()));
  }

  /** `environment` is one of those below `.cache/venv`. Resolves when the program says that it is ready. */
  static async start<Line extends object>(
    environment: string,
    program: string,
    given: object,
  ): Promise<PythonLines<Line>> {
    const interpreter = resolve('.cache/venv', environment, 'bin/python');
    const path = resolve('test/interop/python', program);
    const started = new PythonLines<Line>(
      spawn(interpreter, ['-W', 'ignore', '-u', path, JSON.stringify(given)], {
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', OSLO_LOCK_PATH: tmpdir() },
      }),
    );
    await started.told((line) => 'ready' in line);
    return started;
  }

  /** The first line, past or to come, that fits. */
  told(when: (line: Line) => boolean): Promise<Line> {
    return eventually(
      () => {
        if (this.process.exitCode !== null) throw new Error(`the Python program has ended: ${this.stderr}`);
        return this.lines.find(when);
      },
      'a line of the Python program',
      30_000,
    );
  }

  say(line: object): void {
    this.process.stdin.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    const late = setTimeout(() => this.process.kill('SIGKILL'), 15_000);
    this.process.stdin.end();
    await this.exited;
    clearTimeout(late);
  }
}
