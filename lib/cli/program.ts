import { Command, CommanderError } from 'commander';
import { type CommandRun, requireTexts, withThoseBelow } from './command.js';
import { benchCommand } from './commands/bench.js';
import { completionCommand } from './commands/completion.js';
import { contextCommand } from './commands/context.js';
import { doctorCommand } from './commands/doctor.js';
import { helpCommand } from './commands/help.js';
import { listenCommand } from './commands/listen.js';
import { notifyCommand } from './commands/notify.js';
import { pingCommand } from './commands/ping.js';
import { recordCommand } from './commands/record.js';
import { replayCommand } from './commands/replay.js';
import { sendCommand } from './commands/send.js';
import { serveCommand } from './commands/serve.js';
import { tapCommand } from './commands/tap.js';
import { topCommand } from './commands/top.js';
import { traceCommand } from './commands/trace.js';
import { versionsCommand } from './commands/versions.js';
import { topologyCommand } from './commands/topology.js';
import { whyCommand } from './commands/why.js';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.js';
import { TOPIC_NAMES } from './help-topics.js';
import type { Terminal } from './output.js';

/** Set by the bundler. */
declare const OSLO_BUS_VERSION: string | undefined;

const EXIT_CODES = `
Exit codes:
  0 done   1 answered with an error, doctor: warnings   2 doctor: errors   3 doctor for Nagios: unknown
  64 wrong usage   68 nobody there   69 bus not reachable   70 our own fault   74 file   75 timed out   77 login or permission refused   78 wrong configuration   130 interrupted twice`;

/** Runs one command line, and resolves to its exit code; never rejects. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  const program = newProgram({ terminal, ended: (ended) => (code = ended) });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    terminal.err(`oslo-bus: ${(error as Error).message}\n`);
    return exitCodeOf(error);
  }
}

/** All commands, for those who describe them. */
export function newProgram(run: CommandRun): Command {
  const program = new Command('oslo-bus')
    .description('See and drive an oslo.messaging bus on RabbitMQ.')
    .version(typeof OSLO_BUS_VERSION === 'string' ? OSLO_BUS_VERSION : 'from source')
    // After a command, --version is that of the interface.
    .enablePositionalOptions()
    .helpCommand(false)
    .hook('preAction', (_program, command) => requireTexts(command))
    .addHelpText('after', `\nTopics, by oslo-bus help TOPIC: ${TOPIC_NAMES.join(', ')}\n${EXIT_CODES}`);
  const commands = [
    sendCommand('call', run),
    sendCommand('cast', run),
    sendCommand('fanout', run),
    pingCommand(run),
    versionsCommand(run),
    whyCommand(run),
    doctorCommand(run),
    tapCommand(run),
    traceCommand(run),
    topCommand(run),
    recordCommand(run),
    replayCommand(run),
    listenCommand(run),
    notifyCommand(run),
    serveCommand(run),
    benchCommand(run),
    topologyCommand(run),
    contextCommand(run),
    completionCommand(run),
    helpCommand(run),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of withThoseBelow(program)) {
    command.exitOverride().configureOutput({ writeOut: run.terminal.out, writeErr: run.terminal.err });
  }
  return program;
}
