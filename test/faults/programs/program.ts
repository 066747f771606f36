import { createBroker, type RabbitOptions } from '../../../lib/index.js';
import type { Broker } from '../../../lib/index.js';
import { Journal } from '../bench/journal.js';

/** What a program is started with. */
export interface ProgramSettings {
  name: string;
  journal: string;
  url: string;
  options: RabbitOptions;
  /** Of the notifications' exchange and queues. */
  durable: RabbitOptions;
  timeout: number;
  pauseMs: number;
}

export interface ProgramCommand {
  id: number;
  do: string;
  ms?: number;
}

export interface MemoryUse {
  heapMiB: number;
  rssMiB: number;
}

/** What its commands do; the answers go back to the bench. */
export type CommandTable = Readonly<Record<string, (command: ProgramCommand) => unknown>>;

export function settings(): ProgramSettings {
  return JSON.parse(process.argv[2] ?? '') as ProgramSettings;
}

export function openJournal({ name, journal }: ProgramSettings): Journal {
  const opened = new Journal(journal);
  const crash = (what: string) => (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    opened.write({ is: 'crash', who: name, text: `${what}: ${text}` });
  };
  process.on('unhandledRejection', crash('unhandled rejection'));
  process.on('uncaughtException', crash('uncaught exception'));
  process.on('warning', (warning) => {
    // A leak of listeners, most of all.
    if (!/ExperimentalWarning|DeprecationWarning/.test(warning.name)) crash('warning')(warning);
  });
  return opened;
}

/** A broker whose events are written down. */
export function observedBroker(url: string, options: RabbitOptions, who: string, journal: Journal): Broker {
  const broker = createBroker(url, { ...options, connectionName: who });
  broker.events.subscribe((event) => {
    if (event.type === 'lifecycle-changed') return;
    const to = event.type === 'connection-changed' ? event.to : undefined;
    journal.write({ is: 'event', who, type: event.type, level: event.level, text: event.message, to });
  });
  return broker;
}

const common: CommandTable = {
  memory: (): MemoryUse => {
    for (let round = 0; round < 4; round += 1) globalThis.gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    return { heapMiB: (heapUsed + external) / 2 ** 20, rssMiB: rss / 2 ** 20 };
  },
  block: ({ ms = 0 }) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  },
};

/** Takes commands of the bench; ends when the bench does. */
export function takeCommands(table: CommandTable): void {
  const commands: CommandTable = { ...common, ...table };
  process.on('message', (command: ProgramCommand) => {
    void Promise.resolve(commands[command.do]?.(command)).then((result) => process.send?.({ id: command.id, result }));
  });
  process.once('disconnect', () => process.exit());
  process.send?.({ id: 0 });
}
