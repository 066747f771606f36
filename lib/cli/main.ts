#!/usr/bin/env node
import { askOn } from './confirm.js';
import { EXIT } from './exit-codes.js';
import { runCommandLine } from './program.js';

const interruption = new AbortController();

/** The first one ends a command in order, the second at once. */
function interrupted(): void {
  if (interruption.signal.aborted) process.exit(EXIT.interrupted);
  interruption.abort();
}

// A terminal sends the one, whoever stops a container the other.
process.on('SIGINT', interrupted);
process.on('SIGTERM', interrupted);
// Who reads us may leave first, as head does.
process.stdout.on('error', () => process.exit(EXIT.done));

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
  get size() {
    const { columns, rows, isTTY } = process.stdout;
    return isTTY ? { columns, rows } : undefined;
  },
  rewrites: process.stderr.isTTY,
  ...(process.stdin.isTTY &&
    process.stderr.isTTY && { ask: askOn(process.stdin, process.stderr, interruption.signal) }),
  env: process.env,
  interrupted: interruption.signal,
});
