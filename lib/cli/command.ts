import { Command, Option } from 'commander';
import { CommandEnd, EXIT, exitCodeOf, type ExitCode, UsageError } from './exit-codes.js';
import { collect, count, duration, jsonObject } from './option-values.js';
import { Output, type Terminal } from './output.js';
import { COLOR_CHOICES, type ColorChoice } from './tone.js';
import type { TransportOptions } from './bus/transport-choice.js';

/** The options that every command has. */
export interface CommonOptions extends TransportOptions {
  readonly json?: boolean;
  readonly showSecrets?: boolean;
  readonly color?: ColorChoice;
}

/** Where a command runs, and how it ends. */
export interface CommandRun {
  readonly terminal: Terminal;
  /** Set once the command has ended. */
  ended(code: ExitCode): void;
}

/** A command of `oslo-bus`, with what its help has to show. */
export interface CommandHead {
  readonly name: string;
  readonly summary: string;
  /** Three command lines that run as they are; one of a command below another. */
  readonly examples: readonly [string, string, string] | readonly [string];
}

/** A command that speaks to a bus, with the options that all of these have. */
export function newCommand(head: CommandHead, exchanges?: 'several'): Command {
  const command = plainCommand(head)
    .option('--transport-url <url>', 'the bus, as in oslo.messaging: rabbit://user:password@host:5672/vhost')
    .option('--config-file <path>', "a service's configuration file or directory (repeatable)", collect)
    .option('--context <name>', 'a bus under a name: see oslo-bus context')
    .option('--read-only', 'refuse whatever would change something on the bus');
  const exchange = 'the control exchange (default: of the file or context, else openstack)';
  if (exchanges) command.option('--exchange <name>', `${exchange} (repeatable)`, collect);
  else command.option('--exchange <name>', exchange);
  return command;
}

/** A command that speaks to no bus. */
export function plainCommand({ name, summary, examples }: CommandHead): Command {
  const title = examples.length === 1 ? 'Example' : 'Examples';
  return new Command(name)
    .description(summary)
    .option('--json', 'one JSON document, or one a line')
    .option('--show-secrets', 'do not mask secrets (on a terminal only)')
    .addOption(new Option('--color <when>', 'default: auto, on a terminal, without NO_COLOR').choices(COLOR_CHOICES))
    .addHelpText('after', `\n${title}:\n${examples.map((one) => `  $ ${one}`).join('\n')}`);
}

/** A command, and those below it. */
export function withThoseBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap((below) => withThoseBelow(below))];
}

/** AMQP's names have so many bytes at most. */
const LONGEST_NAME = 255;
const NAMES = /^(event-type|exchange|method|namespace|server|topic)/;

/** A variable of a shell that is not set leaves an empty text. @throws UsageError also for names that AMQP cannot carry */
export function requireTexts(command: Command): void {
  const values = new Map<string, unknown>(
    command.registeredArguments.map((one, at) => [one.name(), command.processedArgs[at]]),
  );
  for (const option of command.options) values.set(option.name(), command.getOptionValue(option.attributeName()));
  for (const [name, value] of values) {
    for (const text of [value].flat()) {
      if (text === '') throw new UsageError(`${name} is empty`);
      if (typeof text === 'string' && NAMES.test(name) && Buffer.byteLength(text) > LONGEST_NAME)
        throw new UsageError(
          `${name} has ${Buffer.byteLength(text)} bytes, and AMQP's names have ${LONGEST_NAME} at most`,
        );
    }
  }
}

/** Options that several commands take. */
export const OPTIONS = {
  count: () => new Option('--count <n>', 'end after so many').argParser(count),
  duration: (flags: string, description: string) => new Option(flags, description).argParser(duration),
  jsonObject: (flags: string, description: string) =>
    new Option(flags, description).argParser((text) => jsonObject(text, flags.split(' ')[0]!)),
  all: () => new Option('--all', 'each server of the topic: those that --management-url tells, or --servers names'),
  managementUrl: () =>
    new Option('--management-url <url>', "RabbitMQ's management API: http://user:password@host:15672"),
  server: () => new Option('--server <name>', 'the server, where TOPIC.SERVER cannot say it'),
  servers: () => new Option('--servers <names>', 'each of these, separated by commas'),
};

/** Runs a command's work; whatever it throws is told, and becomes the exit code. */
export async function runWork(
  { terminal, ended }: CommandRun,
  name: string,
  options: Pick<CommonOptions, 'color' | 'json' | 'showSecrets'>,
  work: (output: Output) => Promise<ExitCode | void>,
): Promise<void> {
  const output = outputOf(terminal, name, options);
  try {
    if (options.showSecrets && !terminal.isTerminal) throw new UsageError('--show-secrets is for terminals only');
    ended((await work(output)) ?? EXIT.done);
  } catch (error) {
    const code = exitCodeOf(error);
    if (!(error instanceof CommandEnd)) output.failure(error, code);
    if (code === EXIT.bug) output.note('this is a fault of oslo-bus: please report it, with the command and the above');
    ended(code);
  }
}

function outputOf(
  terminal: Terminal,
  name: string,
  { color, json = false, showSecrets }: Pick<CommonOptions, 'color' | 'json' | 'showSecrets'>,
): Output {
  return new Output(terminal, name, json, showSecrets && terminal.isTerminal ? 'shown' : 'masked', color);
}
