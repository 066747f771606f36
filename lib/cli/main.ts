#!/usr/bin/env node
import { fork } from 'node:child_process';
import { emitKeypressEvents, type Key } from 'node:readline';
import { askOn } from './confirm.js';
import { EXIT } from './exit-codes.js';
import { runCommandLine } from './program.js';

/** Only what it says on stderr is for people. */
const FORKED = { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] } as const;
const interruption = new AbortController();

/** The first one ends a command in order, the second at once. */
function interrupted(): void {
  if (interruption.signal.aborted) process.exit(EXIT.interrupted);
  interruption.abort();
}

/** Keys as they are pressed, and not only with the next line. Ctrl-C is one of them then. */
function keysOf(pressed: (key: string) => void): () => void {
  const { stdin } = process;
  const told = (_text: string | undefined, { name = '', ctrl }: Key): void => {
    if (ctrl && name === 'c') interrupted();
    else pressed(name);
  };
  emitKeypressEvents(stdin);
  stdin.setRawMode(true).on('keypress', told).resume();
  return () => {
    stdin.setRawMode(false).off('keypress', told).pause();
  };
}

// A terminal sends the one, whoever stops a container the other.
process.on('SIGINT', interrupted);
process.on('SIGTERM', interrupted);
// Who reads us may leave first, as head does.
process.stdout.on('error', () => process.exit(EXIT.done));

// A command that stops without an end is our fault.
process.exitCode = EXIT.bug;
const stopped = (): void =>
  void process.stderr.write('oslo-bus: ended without a result, which is a fault of oslo-bus\n');
process.once('beforeExit', stopped);
const running = runCommandLine(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
  get size() {
    const { columns, rows, isTTY } = process.stdout;
    return isTTY ? { columns, rows } : undefined;
  },
  ...(process.stdin.isTTY && process.stdout.isTTY && { keys: keysOf }),
  rewrites: process.stderr.isTTY,
  ...(process.stdin.isTTY &&
    process.stderr.isTTY && { ask: askOn(process.stdin, process.stderr, interruption.signal) }),
  again: (further) =>
    fork(process.argv[1]!, [...process.argv.slice(2), ...further], { ...FORKED, stdio: [...FORKED.stdio] }),
  env: process.env,
  interrupted: interruption.signal,
});
async function end(): Promise<void> {
  process.exitCode = await running;
  process.off('beforeExit', stopped);
}
void end();
