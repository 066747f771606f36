#!/usr/bin/env node
import { fork } from 'node:child_process';
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

// A terminal sends the one, whoever stops a container the other.
process.on('SIGINT', interrupted);
process.on('SIGTERM', interrupted);
// Who reads us may leave first, as head does.
process.stdout.on('error', () => process.exit(EXIT.done));

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
  again: (further) =>
    fork(process.argv[1]!, [...process.argv.slice(2), ...further], { ...FORKED, stdio: [...FORKED.stdio] }),
  env: process.env,
  interrupted: interruption.signal,
});
