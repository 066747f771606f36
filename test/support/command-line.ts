import type { Command } from 'commander';
import { newProgram, runCommandLine } from '../../lib/cli/program.js';

/** What a command line has written, and how it has ended. */
export interface CommandResult {
  code: number;
  out: string;
  err: string;
  /** Of `--json`: the objects, one a line. */
  documents: Record<string, unknown>[];
}

/** Runs `oslo-bus` in this process. */
export async function oslo(
  commandLine: string | readonly string[],
  options: {
    env?: Record<string, string>;
    isTerminal?: boolean;
    size?: { columns: number; rows: number };
    keys?: (pressed: (key: string) => void) => () => void;
    /** What is typed when it asks; absent: nobody sits there. */
    answer?: string;
    signal?: AbortSignal;
    onErr?: (text: string) => void;
    onOut?: (text: string) => void;
  } = {},
): Promise<CommandResult> {
  const args = typeof commandLine === 'string' ? wordsOf(commandLine) : commandLine;
  const [out, err]: [string[], string[]] = [[], []];
  const { answer } = options;
  const code = await runCommandLine(args, {
    out: (text) => {
      out.push(text);
      options.onOut?.(text);
    },
    err: (text) => {
      err.push(text);
      options.onErr?.(text);
    },
    isTerminal: options.isTerminal ?? false,
    size: options.size,
    ...(options.keys && { keys: options.keys }),
    ...(answer !== undefined && { ask: () => Promise.resolve(answer) }),
    // Not the contexts of whoever runs the tests.
    env: { XDG_CONFIG_HOME: '/nowhere', ...options.env },
    interrupted: options.signal ?? new AbortController().signal,
  });
  const written = out.join('');
  const documents = args.includes('--json')
    ? written.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]))
    : [];
  return { code, out: written, err: err.join(''), documents };
}

/** All commands, to be looked at; they say nothing. */
export function quietProgram(): Command {
  return newProgram({
    terminal: {
      out: () => undefined,
      err: () => undefined,
      isTerminal: false,
      env: {},
      interrupted: new AbortController().signal,
    },
    ended: () => undefined,
  });
}

/** As a shell takes them apart, with single quotes alone. */
export function wordsOf(commandLine: string): string[] {
  const words = commandLine.match(/(?:[^\s']+|'[^']*')+/g) ?? [];
  return words.map((word) => word.replaceAll("'", '')).filter((word, at) => at > 0 || word !== 'oslo-bus');
}
