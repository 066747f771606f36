import { type Command, Option } from 'commander';
import { type BusTopology, busTopology } from '../../observe/bus/bus-topology.js';
import { ManagementFailure } from '../../observe/bus/management-answers.js';
import type { ManagementApi } from '../../observe/bus/management-api.js';
import { announce } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { managementOf, type ManagementOptions, virtualHostOf } from '../bus/management.js';
import { TOPOLOGY_DRAWINGS, TOPOLOGY_FORMATS } from '../topology-drawing.js';
import { chooseTransport } from '../bus/transport-choice.js';

interface TopologyOptions extends CommonOptions, ManagementOptions {
  readonly format?: (typeof TOPOLOGY_FORMATS)[number];
}

const head = {
  name: 'topology',
  summary: 'draw exchanges, the queues behind them, and who consumes those',
  examples: [
    'oslo-bus topology --management-url http://guest:guest@127.0.0.1:15672',
    'oslo-bus topology --management-url http://guest:guest@127.0.0.1:15672 --format mermaid',
    'oslo-bus topology --management-url http://guest:guest@127.0.0.1:15672 --exchange openstack --json',
  ],
} as const;

export function topologyCommand(run: CommandRun): Command {
  return newCommand(head)
    .addOption(OPTIONS.managementUrl())
    .addOption(new Option('--format <format>', 'of the drawing (default: text)').choices(TOPOLOGY_FORMATS))
    .action((options: TopologyOptions) => {
      const json = options.json || options.format === 'json';
      return runWork(run, head.name, { ...options, json }, async (output) => {
        const choice = chooseTransport(options, run.terminal.env);
        const api = managementOf(options, choice);
        if (!api) throw new UsageError('AMQP has no lists: --management-url, or that of a context, is needed');
        announce(choice, output, 'looks');
        const notKnown: string[] = [];
        const whole = await topologyOf(api, virtualHostOf(choice).virtualHost, notKnown);
        const { exchange } = options;
        const shown =
          exchange === undefined
            ? whole
            : { exchanges: whole.exchanges.filter(({ name }) => name === exchange), unbound: [] };
        const format = options.format === undefined || options.format === 'json' ? 'text' : options.format;
        output.result({ ...shown, notKnown }, TOPOLOGY_DRAWINGS[format](shown));
        for (const what of notKnown) output.note(`not known: ${what}`);
      });
    });
}

async function topologyOf(api: ManagementApi, virtualHost: string, notKnown: string[]): Promise<BusTopology> {
  // Without these a drawing would be wrong; they need less than the others.
  const asFarAsSeen = async <T>(list: Promise<T[]>): Promise<T[]> => {
    try {
      return await list;
    } catch (error) {
      if (!(error instanceof ManagementFailure)) throw error;
      notKnown.push(error.message);
      return [];
    }
  };
  const [exchanges, queues, bindings, consumers, connections] = await Promise.all([
    api.exchanges(virtualHost),
    api.queues(virtualHost),
    api.bindings(virtualHost),
    asFarAsSeen(api.consumers(virtualHost)),
    asFarAsSeen(api.connections(virtualHost)),
  ]);
  return busTopology({ exchanges, queues, bindings, consumers, connections });
}
