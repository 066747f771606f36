import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { ProgramSettings } from '../programs/program.js';

/** One process of a scene: it does what it is told, and can be killed. */
export class Participant {
  private lastId = 0;
  private readonly waiting = new Map<number, (result: unknown) => void>();
  private output = '';

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    child.on('message', ({ id, result }: { id: number; result: unknown }) => {
      this.waiting.get(id)?.(result);
      this.waiting.delete(id);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  static async start(program: 'caller' | 'service', settings: ProgramSettings): Promise<Participant> {
    const child = fork(resolve('.cache/faults/test/faults/programs', `${program}.js`), [JSON.stringify(settings)], {
      execArgv: ['--expose-gc', '--enable-source-maps'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const participant = new Participant(settings.name, child);
    const ready = new Promise<void>((settle, reject) => {
      participant.waiting.set(0, () => settle());
      child.once('exit', (code) => reject(new Error(`${settings.name} ended with ${code}: ${participant.output}`)));
    });
    await ready;
    return participant;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** How it ended, and what it said on its standard error. */
  get ending(): string {
    return `${this.child.signalCode ?? this.child.exitCode} ${this.output.slice(-2_000)}`;
  }

  tell<T = unknown>(command: string, facts: object = {}): Promise<T> {
    const id = ++this.lastId;
    return new Promise<T>((settle, reject) => {
      this.waiting.set(id, settle as (result: unknown) => void);
      this.child.send({ ...facts, id, do: command }, (error) => {
        if (error) reject(new Error(`${this.name} does not listen: ${this.ending}`, { cause: error }));
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The exit code, null when it was killed. */
  async ended(): Promise<number | null> {
    if (this.running) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }
}
