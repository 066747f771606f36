import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { loadOsloConfig } from '../../config/oslo-config/oslo-config.js';
import { maskUrl } from '../../wire/redaction.js';
import { withBus } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, plainCommand, runWork } from '../command.js';
import { type Context, ContextStore } from '../bus/contexts.js';
import { UsageError } from '../exit-codes.js';
import { collect } from '../option-values.js';
import { columns, type Output, shownMs } from '../output.js';

interface SaveOptions extends CommonOptions {
  readonly passwordCommand?: string;
  readonly managementUrl?: string;
  readonly topic?: readonly string[];
  readonly select?: boolean;
}

const examples = [
  'oslo-bus context save local --transport-url rabbit://guest:guest@127.0.0.1:5672/ --select',
  'oslo-bus context ls',
  'oslo-bus context check local',
] as const;

/** `context` and the commands below it. */
export function contextCommand(run: CommandRun): Command {
  const group = new Command('context')
    .description('buses under names, so that no URL has to be typed again')
    .addHelpText('after', `\nExamples:\n${examples.map((one) => `  $ ${one}`).join('\n')}`);
  const below = [saveCommand, listCommand, selectCommand, showCommand, removeCommand, checkCommand];
  for (const make of below) group.addCommand(make(run, (output) => new Contexts(run, output)));
  return group;
}

type Begin = (output: Output) => Contexts;

function saveCommand(run: CommandRun, begin: Begin): Command {
  return plainCommand({
    name: 'save',
    summary: 'save a bus under a name, in place of what had that name',
    examples: ['oslo-bus context save local --transport-url rabbit://guest:guest@127.0.0.1:5672/ --exchange nova'],
  })
    .argument('<context>')
    .option('--transport-url <url>', 'the bus; -: read from stdin, so that no password is in the history of your shell')
    .option('--config-file <path>', "a service's configuration file or directory (repeatable)", collect)
    .option('--password-command <command>', 'prints the password for --transport-url, or without that the whole URL')
    .option('--exchange <name>', 'the control exchange')
    .option('--management-url <url>', "of RabbitMQ's management API: http://host:15672")
    .option('--topic <name>', 'that is watched there (repeatable)', collect)
    .option('--read-only', 'refuse whatever would change something on this bus')
    .option('--select', 'and use it from now on where nothing else is said')
    .action((name: string, options: SaveOptions) =>
      runWork(run, 'context save', options, async (output) => begin(output).save(name, options)),
    );
}

function listCommand(run: CommandRun, begin: Begin): Command {
  return plainCommand({ name: 'ls', summary: 'list all of them', examples: ['oslo-bus context ls --json'] }).action(
    (options: CommonOptions) => runWork(run, 'context ls', options, async (output) => begin(output).list()),
  );
}

function selectCommand(run: CommandRun, begin: Begin): Command {
  return plainCommand({
    name: 'select',
    summary: 'use one from now on where nothing else is said',
    examples: ['oslo-bus context select local'],
  })
    .argument('[context]')
    .option('--none', 'none any more')
    .action((name: string | undefined, options: CommonOptions & { readonly none?: boolean }) =>
      runWork(run, 'context select', options, async (output) => begin(output).select(name, options.none === true)),
    );
}

function showCommand(run: CommandRun, begin: Begin): Command {
  return plainCommand({
    name: 'show',
    summary: 'show one, without its secrets',
    examples: ['oslo-bus context show local'],
  })
    .argument('<context>')
    .action((name: string, options: CommonOptions) =>
      runWork(run, 'context show', options, async (output) => begin(output).show(name)),
    );
}

function removeCommand(run: CommandRun, begin: Begin): Command {
  return plainCommand({ name: 'rm', summary: 'remove one', examples: ['oslo-bus context rm local'] })
    .argument('<context>')
    .action((name: string, options: CommonOptions) =>
      runWork(run, 'context rm', options, async (output) => begin(output).remove(name)),
    );
}

function checkCommand(run: CommandRun, begin: Begin): Command {
  return plainCommand({
    name: 'check',
    summary: 'connect to one, by default to the bus that would be used now',
    examples: ['oslo-bus context check local --json'],
  })
    .argument('[context]')
    .action((name: string | undefined, options: CommonOptions) =>
      runWork(run, 'context check', options, (output) => begin(output).check(name)),
    );
}

/** The work of the commands. */
class Contexts {
  private readonly store: ContextStore;

  constructor(
    private readonly run: CommandRun,
    private readonly output: Output,
  ) {
    this.store = new ContextStore(run.terminal.env);
  }

  save(name: string, options: SaveOptions): void {
    const context = contextOf(options);
    const how = this.store.write(name, context);
    if (options.select) this.store.select(name);
    const selected = this.store.selected() === name;
    this.output.result({ name, how, selected, file: this.store.fileOf(name) }, [`${how} '${name}': ${busOf(context)}`]);
    if (options.select) this.output.note('it is selected: commands use it where nothing else is said');
    if (!selected) this.output.note(`to use it: --context ${name}, or oslo-bus context select ${name}`);
  }

  list(): void {
    const selected = this.store.selected();
    const contexts = this.store.names().map((name) => ({ name, selected: name === selected, ...this.described(name) }));
    const rows = contexts.map(({ name, bus, exchange, readOnly, fault, ...one }) => [
      one.selected ? '*' : '-',
      name,
      fault === undefined ? bus : `not usable: ${fault}`,
      exchange ?? (fault === undefined ? '-' : ''),
      readOnly ? 'read-only' : '',
    ]);
    this.output.result({ contexts }, columns(rows));
    if (contexts.length === 0) this.output.note('there is none yet: oslo-bus context save NAME');
  }

  select(name: string | undefined, none: boolean): void {
    if ((name === undefined) !== none) throw new UsageError('select a NAME, or --none');
    // One that is not usable is not selected.
    if (name !== undefined) this.store.read(name);
    this.store.select(name);
    this.output.result({ selected: name ?? null }, [name === undefined ? 'none is selected' : `selected '${name}'`]);
  }

  show(name: string): void {
    const context = this.store.read(name);
    const selected = this.store.selected() === name;
    const file = this.store.fileOf(name);
    this.output.result({ name, file, selected, context }, this.output.pretty(context));
    this.output.note(`${file}${selected ? ', selected' : ''}`);
  }

  remove(name: string): void {
    this.store.remove(name);
    this.output.result({ name, removed: true }, [`removed '${name}'`]);
  }

  async check(name: string | undefined): Promise<void> {
    const begun = performance.now();
    const options = name === undefined ? {} : { context: name };
    await withBus(options, this.run.terminal.env, this.output, 'looks', async (broker, choice) => {
      const ms = Math.round((performance.now() - begun) * 10) / 10;
      const { exchange, shownUrl: bus, because, readOnly } = choice;
      const isThere = await broker.hasExchange(exchange);
      this.output.result({ bus, because, ms, exchange, exchangeIsThere: isThere, readOnly }, [
        `bus       ${bus} is there and lets us in, after ${shownMs(ms)}`,
        `exchange  '${exchange}' is ${isThere ? 'there' : 'not there: the first service that uses it makes it'}`,
        ...(readOnly ? ['read-only'] : []),
      ]);
    });
  }

  private described(name: string): { bus: string; exchange?: string; readOnly?: boolean; fault?: string } {
    try {
      const context = this.store.read(name);
      const { exchange, readOnly } = context;
      return { bus: busOf(context), ...(exchange !== undefined && { exchange }), ...(readOnly && { readOnly }) };
    } catch (error) {
      return { bus: '', fault: (error as Error).message };
    }
  }
}

/** The passwords of URLs are masked, and no command is run. */
function busOf({ configFile, transportUrl }: Context): string {
  if (transportUrl !== undefined) return maskUrl(transportUrl);
  return configFile === undefined ? 'as its passwordCommand says' : [configFile].flat().join(' ');
}

/** A file that cannot be read now is refused. */
function contextOf(options: SaveOptions): Context {
  const { configFile, transportUrl, passwordCommand, exchange, managementUrl, topic, readOnly } = options;
  if (configFile === undefined && transportUrl === undefined && passwordCommand === undefined) {
    throw new UsageError('say which bus: --transport-url, --config-file or --password-command');
  }
  const files = configFile?.map((path) => resolve(path));
  if (files) loadOsloConfig(files);
  return {
    ...(transportUrl !== undefined && {
      transportUrl: transportUrl === '-' ? readFileSync(0, 'utf8').trim() : transportUrl,
    }),
    ...(files && { configFile: files }),
    ...(passwordCommand !== undefined && { passwordCommand }),
    ...(exchange !== undefined && { exchange }),
    ...(managementUrl !== undefined && { managementUrl }),
    ...(topic && { topics: topic }),
    ...(readOnly && { readOnly }),
  };
}
