import type { Command } from 'commander';
import { type CommandRun, type CommonOptions, plainCommand, runWork } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { HELP_ARGUMENT, helpTopic, TOPIC_NAMES } from '../help-topics.js';

const head = {
  name: 'help',
  summary: 'display help for a command, or a topic',
  examples: ['oslo-bus help', 'oslo-bus help transports', 'oslo-bus help context save --json'],
} as const;

/** In place of commander's own, which knows commands only. */
export function helpCommand(run: CommandRun): Command {
  const command = plainCommand(head)
    .argument(`[${HELP_ARGUMENT}...]`, `${TOPIC_NAMES.join(', ')}, or a command`)
    .action((words: string[], options: CommonOptions) =>
      runWork(run, head.name, options, async (output) => {
        const topic = words.join(' ');
        const text = helpTopic(topic);
        if (text !== undefined) output.ownText({ topic, text }, `${text}\n`);
        else if (!output.json) commandAt(command.parent!, words).outputHelp();
        else output.ownText({ topic, text: commandAt(command.parent!, words).helpInformation() }, '');
      }),
    );
  return command;
}

/** @throws UsageError */
function commandAt(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    const below = command.commands.find((one) => one.name() === word);
    if (!below) {
      const topics = TOPIC_NAMES.join(', ');
      throw new UsageError(`there is neither a command nor a topic '${words.join(' ')}'; topics are ${topics}`);
    }
    command = below;
  }
  return command;
}
