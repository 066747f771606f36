import { type Command, Option } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { BusTap, type TapRequest } from '../../observe/tap/bus-tap.js';
import { lossTexts } from '../../observe/tap/queue-losses.js';
import type { ManagementApi } from '../../observe/bus/management-api.js';
import type { TapSource, TrafficRecord } from '../../observe/traffic/traffic-record.js';
import { withBus } from '../bus/bus-session.js';
import { type CommandHead, type CommonOptions, newCommand, OPTIONS } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { withFirehose } from '../bus/firehose-switch.js';
import { managementOf, type ManagementOptions, virtualHostOf } from '../bus/management.js';
import { collect, ratePerSecond } from '../option-values.js';
import type { Output, Terminal } from '../output.js';
import type { TransportChoice } from '../bus/transport-choice.js';

/** The options of commands that watch a bus. */
export interface WatchOptions extends Omit<CommonOptions, 'exchange'>, ManagementOptions {
  readonly exchange?: readonly string[];
  readonly topic?: readonly string[];
  readonly notifications?: readonly string[];
  readonly source?: TapSource | 'auto';
  readonly maxRate?: number;
  readonly switchOn?: boolean;
}

const MAX_RATE = 500;

/** Measured per call, on RabbitMQ 3.10 (docs/tools.md). */
const PRICES: Readonly<Record<TapSource, string>> = {
  firehose: 'costs the broker about twice the CPU per call while it runs; other nodes of a cluster are not seen',
  binding:
    'requests and notifications only, no answers; costs the broker about a third more CPU per call; a mandatory request ' +
    'counts as routed for up to 1 s after its queue has gone',
};

/** A command with the options of those that watch a bus. */
export function newWatchCommand(head: CommandHead): Command {
  return newCommand(head, 'several')
    .option('--topic <topic[.server]>', 'only these (repeatable); needed without the firehose', collect)
    .option('--notifications <topic>', 'and notifications of this topic (repeatable)', collect)
    .addOption(new Option('--source <source>', 'how to watch').choices(['auto', 'firehose', 'binding']).default('auto'))
    .option(
      '--switch-on',
      'switch the firehose on, and off again at the end; for administrators, with --management-url',
    )
    .addOption(OPTIONS.managementUrl())
    .addOption(
      new Option('--max-rate <n>', 'read so many messages a second, count the rest (default: 500)').argParser(
        ratePerSecond,
      ),
    );
}

/** Runs a command's work with the bus that is to be watched, and with what is to be seen of it. */
export function withWatchedBus<Result>(
  { exchange: exchanges, ...options }: WatchOptions,
  { env }: Terminal,
  output: Output,
  work: (broker: MessageBroker, request: TapRequest) => Promise<Result>,
): Promise<Result> {
  const { topic: topics = [], notifications: notificationTopics = [], maxRate = MAX_RATE, switchOn = false } = options;
  const source = switchOn ? 'firehose' : (options.source ?? 'auto');
  const [first] = exchanges ?? [];
  const bus = { ...options, ...(first !== undefined && { exchange: first }) };
  return withBus(bus, env, output, switchOn ? 'changes' : 'looks', (broker, choice) => {
    const request: TapRequest = {
      source,
      exchanges: exchanges ?? [choice.exchange],
      ...(exchanges && { only: new Set(exchanges) }),
      topics,
      notificationTopics,
      maxRate,
      secrets: 'masked',
    };
    if (!switchOn) return work(broker, request);
    const { virtualHost } = virtualHostOf(choice);
    return withFirehose(switchOf(options, choice), virtualHost, output, () => work(broker, request));
  });
}

/** @throws UsageError there is nobody who could switch it */
function switchOf(options: WatchOptions, choice: TransportChoice): ManagementApi {
  if (options.source === 'binding')
    throw new UsageError('--switch-on is for the firehose, and not for --source binding');
  const api = managementOf(options, choice);
  if (!api) throw new UsageError('--switch-on needs --management-url');
  return api;
}

/** The use of a tap. */
export interface TapUse {
  /** Before the first record. */
  opened?(tap: BusTap): void;
  seen(record: TrafficRecord): void;
  /** Some messages are not read, at that moment on the clock of the records. */
  missed?(at: number): void;
  /** Resolves when enough was seen. */
  untilEnd(): Promise<void>;
  /** The tap is closed, its counters are final. */
  ended?(tap: BusTap): void;
}

/** Uses a tap from its opening to its end, and says what it costs; it is closed in any case. */
export async function withTap(broker: MessageBroker, request: TapRequest, output: Output, use: TapUse): Promise<void> {
  // Messages may come before the tap is known to be open.
  const early: TrafficRecord[] = [];
  let take = (record: TrafficRecord): void => void early.push(record);
  const tap = await BusTap.open(broker, request, {
    seen: (record) => take(record),
    missed: () => use.missed?.(Date.now()),
    bindingChanged: ({ key, exchange }, isBound) =>
      output.note(`tap: ${isBound ? 'bound' : 'no longer bound:'} '${key}' of '${exchange}'`),
  });
  try {
    output.note(`tap: ${tap.source}; ${PRICES[tap.source]}`);
    use.opened?.(tap);
    take = (record) => use.seen(record);
    for (const record of early) use.seen(record);
    await use.untilEnd();
  } finally {
    await tap.close();
  }
  use.ended?.(tap);
}

/** Losses of a tap, for people. */
export function lossesOf({ counters }: BusTap): string[] {
  const { skipped } = counters;
  return [...(skipped > 0 ? [`${skipped} skipped by --max-rate`] : []), ...lossTexts(counters)];
}
