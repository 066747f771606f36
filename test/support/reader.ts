import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventually } from './eventually.js';
import { shownOutput, type Step } from './guide.js';

export interface ReaderOptions {
  /** Blocks of commands that are marked with one of these are followed, those with another mark are not. */
  chosen: readonly string[];
  /** What stands in a command or a file of the page, and what is there for this reader. */
  replace: (text: string) => string;
  environment: NodeJS.ProcessEnv;
}

interface Terminal {
  program: ChildProcess;
  /** Printed, and not yet compared with the page. */
  printed: string;
}

const COMMAND_WITHIN_MS = 240_000;
const SHOWN_WITHIN_MS = 60_000;

/** Somebody who does, in a folder, what a page says, and sees whether what happens is what it shows. */
export class Reader {
  private readonly terminals = new Map<string, Terminal>();
  private last = '';

  constructor(
    private readonly folder: string,
    private readonly options: ReaderOptions,
  ) {}

  async follow(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.take(step);
  }

  /** Closes all terminals. */
  async leave(): Promise<void> {
    await Promise.all([...this.terminals.keys()].map((name) => this.end(name, 'SIGKILL')));
  }

  private async take(step: Step): Promise<void> {
    if (step.kind === 'file') return this.write(step.name, step.content);
    if (step.only !== undefined && !this.options.chosen.includes(step.only)) return undefined;
    if (step.kind === 'output') return this.see(step.lines, step.terminal);
    if (step.terminal !== undefined) return this.open(step.terminal, step.lines.join('\n'));
    this.last = '';
    for (const line of step.lines) this.last += await this.run(line);
  }

  private write(name: string, content: string): void {
    const file = join(this.folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, this.options.replace(content));
  }

  private async run(line: string): Promise<string> {
    const terminal = this.start(line);
    const { program } = terminal;
    await eventually(() => program.exitCode !== null || program.signalCode !== null, line, COMMAND_WITHIN_MS);
    if (program.exitCode !== 0) throw new Error(`${line} ended with ${program.exitCode}:\n${terminal.printed}`);
    return terminal.printed;
  }

  /** A command that runs on, where one may run already: that one is stopped by Ctrl-C. */
  private async open(name: string, line: string): Promise<void> {
    if (this.terminals.has(name)) await this.end(name, 'SIGINT');
    this.terminals.set(name, this.start(`exec ${line}`));
  }

  private start(line: string): Terminal {
    const program = spawn('sh', ['-c', this.options.replace(line)], {
      cwd: this.folder,
      env: this.options.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const terminal: Terminal = { program, printed: '' };
    for (const output of [program.stdout, program.stderr])
      output.setEncoding('utf8').on('data', (text: string) => (terminal.printed += text));
    return terminal;
  }

  private async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const { program } = this.terminals.get(name)!;
    this.terminals.delete(name);
    if (program.exitCode !== null || program.signalCode !== null) return;
    process.kill(-program.pid!, signal);
    await eventually(() => program.exitCode !== null || program.signalCode !== null, `the end of ${name}`);
  }

  private async see(lines: readonly string[], name: string | undefined): Promise<void> {
    const shown = shownOutput(lines, name === undefined);
    if (name === undefined) {
      if (!shown.test(this.last)) throw new Error(unlike(lines, this.last));
      return;
    }
    const terminal = this.terminals.get(name)!;
    const isShown = (): boolean => shown.test(terminal.printed);
    await eventually(isShown, name, SHOWN_WITHIN_MS).catch(() => {
      throw new Error(unlike(lines, terminal.printed));
    });
    terminal.printed = terminal.printed.replace(shown, '');
  }
}

function unlike(lines: readonly string[], printed: string): string {
  return `The page shows:\n${lines.join('\n')}\nThe program printed:\n${printed}`;
}
