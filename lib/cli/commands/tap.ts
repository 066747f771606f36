import type { Command } from 'commander';
import { Option } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { BusTap, type TapRequest } from '../../observe/bus-tap.js';
import { CallPairing, type SeenRequest } from '../../observe/call-pairing.js';
import type { ManagementApi } from '../../observe/management-api.js';
import { kindOf, requestIdOf, type TapSource, type TrafficRecord } from '../../observe/traffic-record.js';
import { Glob } from '../../notify/filter/glob.js';
import { withBus } from '../bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { withFirehose } from '../firehose-switch.js';
import { managementOf, type ManagementOptions, virtualHostOf } from '../management.js';
import { collect, count } from '../option-values.js';
import type { Output } from '../output.js';
import { RecordingFile } from '../recording-file.js';
import {
  answeredAt,
  isTrouble,
  notificationData,
  notificationLine,
  requestData,
  requestLine,
  TRAFFIC_HEAD,
} from '../traffic-lines.js';
import type { TransportChoice } from '../transport-choice.js';

interface TapOptions extends CommonOptions, ManagementOptions {
  readonly topic?: readonly string[];
  readonly notifications?: readonly string[];
  readonly method?: string;
  readonly requestId?: string;
  readonly errors?: boolean;
  readonly slowerThan?: number;
  readonly kinds?: string;
  readonly source?: TapSource | 'auto';
  readonly switchOn?: boolean;
  readonly maxRate?: number;
  readonly record?: string;
  readonly withSecrets?: boolean;
  readonly count?: number;
  readonly for?: number;
  readonly untilIdle?: number;
}

const head = {
  name: 'tap',
  summary: 'show what passes through a bus, decoded, without taking anything from anybody',
  examples: [
    'oslo-bus tap --topic conductor --for 1s',
    'oslo-bus tap --topic conductor --topic conductor.host1 --errors --for 1s --json',
    'oslo-bus tap --topic conductor --notifications notifications --source binding --until-idle 1s',
  ],
} as const;

const MAX_RATE = 500;
const TICK_MS = 100;
const KINDS = ['call', 'cast', 'fanout', 'notification'];

/** Measured per call, on RabbitMQ 3.10 (docs/tools.md). */
const PRICES: Readonly<Record<TapSource, string>> = {
  firehose: 'costs the broker about twice the CPU per call while it runs; other nodes of a cluster are not seen',
  binding:
    'requests and notifications only, no answers; costs the broker about a third more CPU per call; a mandatory request ' +
    'counts as routed for up to 1 s after its queue has gone',
};

export function tapCommand(run: CommandRun): Command {
  return newCommand(head)
    .option('--topic <topic[.server]>', 'only these (repeatable); needed without the firehose', collect)
    .option('--notifications <topic>', 'and notifications of this topic (repeatable)', collect)
    .option('--method <glob>', 'only methods or event types like this')
    .option('--request-id <id>', 'only what belongs to this request')
    .option('--errors', 'only what has gone wrong')
    .addOption(OPTIONS.duration('--slower-than <duration>', 'only answers that took longer'))
    .option('--kinds <kinds>', `some of ${KINDS.join(',')}`)
    .addOption(new Option('--source <source>', 'how to watch').choices(['auto', 'firehose', 'binding']).default('auto'))
    .option(
      '--switch-on',
      'switch the firehose on, and off again at the end; for administrators, with --management-url',
    )
    .addOption(OPTIONS.managementUrl())
    .addOption(new Option('--max-rate <n>', 'read so many messages a second, count the rest').argParser(count))
    .option('--record <file>', 'write all of it to a file as well')
    .option('--with-secrets', 'with secrets in the file')
    .addOption(OPTIONS.count())
    .addOption(OPTIONS.duration('--for <duration>', 'end after that time'))
    .addOption(OPTIONS.duration('--until-idle <duration>', 'end when nothing has come for so long'))
    .action((options: TapOptions) =>
      runWork(run, head.name, options, (output) => {
        const shows = filterOf(options);
        const effect = options.switchOn ? 'changes' : 'looks';
        return withBus(options, run.terminal.env, output, effect, (broker, choice) => {
          const request = requestOf(options, choice.exchange);
          const work = (): Promise<void> =>
            new TapRun(broker, options, output, shows).run(request, run.terminal.interrupted);
          if (!options.switchOn) return work();
          return withFirehose(apiOf(options, choice), virtualHostOf(choice).virtualHost, output, work);
        });
      }),
    );
}

/** @throws UsageError there is nobody who could switch it */
function apiOf(options: TapOptions, choice: TransportChoice): ManagementApi {
  if (options.source === 'binding')
    throw new UsageError('--switch-on is for the firehose, and not for --source binding');
  const api = managementOf(options, choice);
  if (!api) throw new UsageError('--switch-on needs --management-url');
  return api;
}

function requestOf(options: TapOptions, exchange: string): TapRequest {
  const { topic = [], notifications = [], maxRate = MAX_RATE } = options;
  const source = options.switchOn ? 'firehose' : (options.source ?? 'auto');
  const secrets = options.record !== undefined && options.withSecrets ? 'kept' : 'masked';
  return { source, exchanges: [exchange], topics: topic, notificationTopics: notifications, maxRate, secrets };
}

interface Shows {
  request(request: SeenRequest): boolean;
  notification(record: TrafficRecord): boolean;
}

function filterOf({ kinds, method, requestId, errors, slowerThan }: TapOptions): Shows {
  const wanted = new Set(kinds === undefined ? KINDS : kinds.split(','));
  for (const kind of wanted) if (!KINDS.includes(kind)) throw new UsageError(`there is no kind '${kind}'`);
  const pattern = method === undefined ? undefined : new Glob(method);
  const isNamed = (name: string): boolean => pattern === undefined || pattern.matches(name);
  return {
    request: (request) =>
      wanted.has(request.kind) &&
      isNamed(request.method) &&
      (requestId === undefined || request.requestId === requestId) &&
      (!errors || isTrouble(request)) &&
      (slowerThan === undefined || (answeredAt(request) ?? 0) - request.record.t > slowerThan),
    notification: (record) =>
      wanted.has('notification') &&
      !errors &&
      slowerThan === undefined &&
      isNamed(String(record.message?.event_type)) &&
      (requestId === undefined || requestIdOf(record.message ?? {}) === requestId),
  };
}

/** One tap from its beginning to its end. */
class TapRun {
  private shownCount = 0;
  private lastAt = Date.now();
  private file: RecordingFile | undefined;
  private source: TapSource = 'firehose';
  private readonly pairing = new CallPairing({
    published: (request) => {
      // Of these nothing more is seen, or nothing more is to come.
      if (request.kind !== 'call' || request.state.name === 'unroutable' || this.source === 'binding')
        this.show(request);
    },
    ended: (request) => this.show(request),
  });

  constructor(
    private readonly broker: MessageBroker,
    private readonly options: TapOptions,
    private readonly output: Output,
    private readonly shows: Shows,
  ) {}

  async run(request: TapRequest, interrupted: AbortSignal): Promise<void> {
    // Messages may come before the tap is known to be open.
    const early: TrafficRecord[] = [];
    let take = (record: TrafficRecord): void => void early.push(record);
    const tap = await BusTap.open(this.broker, request, {
      seen: (record) => take(record),
      bindingChanged: ({ key, exchange }, isBound) =>
        this.output.note(`tap: ${isBound ? 'bound' : 'no longer bound:'} '${key}' of '${exchange}'`),
    });
    try {
      this.source = tap.source;
      this.begin(tap, request);
      take = (record) => this.seen(record);
      for (const record of early) take(record);
      await this.untilEnd(interrupted);
    } finally {
      await tap.close();
      await this.file?.close();
    }
    this.summary(tap);
  }

  private begin({ source }: BusTap, { secrets }: TapRequest): void {
    this.output.note(`tap: ${source}; ${PRICES[source]}`);
    if (!this.output.json) this.output.note(TRAFFIC_HEAD);
    const { record } = this.options;
    if (record === undefined) return;
    const at = new Date().toISOString();
    this.file = new RecordingFile(record, { at, source, url: this.broker.url, masked: secrets === 'masked' });
  }

  private seen(record: TrafficRecord): void {
    this.lastAt = Date.now();
    this.file?.write(record);
    if (record.ev === 'publish' && kindOf(record) === 'notification') {
      if (this.isDone || !this.shows.notification(record)) return;
      this.shownCount += 1;
      this.output.result(notificationData(record), [notificationLine(record)]);
    } else {
      this.pairing.add(record);
    }
  }

  private show(request: SeenRequest): void {
    if (this.isDone || !this.shows.request(request)) return;
    this.shownCount += 1;
    this.output.result(requestData(request), [requestLine(request)]);
  }

  private get isDone(): boolean {
    return this.options.count !== undefined && this.shownCount >= this.options.count;
  }

  private untilEnd(interrupted: AbortSignal): Promise<void> {
    const { for: forMs = Infinity, untilIdle = Infinity } = this.options;
    const endsAt = Date.now() + forMs;
    return new Promise((resolve) => {
      const look = (): void => {
        const now = Date.now();
        this.pairing.passTime(now);
        const isOver = interrupted.aborted || this.isDone || now >= endsAt || now - this.lastAt >= untilIdle;
        if (!isOver) return;
        clearInterval(timer);
        interrupted.removeEventListener('abort', look);
        resolve();
      };
      const timer = setInterval(look, TICK_MS);
      interrupted.addEventListener('abort', look);
    });
  }

  private summary({ counters, source }: BusTap): void {
    const { received, skipped, droppedAtLeast } = counters;
    const { forgotten, unmatchedReplies } = this.pairing.counters;
    const unwritten = this.file?.unwritten ?? 0;
    const facts = {
      source,
      received,
      shown: this.shownCount,
      skipped,
      droppedAtLeast,
      forgotten,
      unmatchedReplies,
      unwritten,
    };
    if (this.output.json) this.output.result({ event: 'end', ...facts }, []);
    const losses = [
      ...(skipped > 0 ? [`${skipped} skipped by --max-rate`] : []),
      ...(droppedAtLeast > 0 ? [`at least ${droppedAtLeast} dropped by the broker, as we were too slow`] : []),
      ...(forgotten > 0 ? [`${forgotten} open calls forgotten`] : []),
      ...(unwritten > 0 ? [`${unwritten} not recorded, as the disk was too slow`] : []),
    ];
    this.output.note(`tap: ${[`${received} messages, ${this.shownCount} shown`, ...losses].join('; ')}`);
  }
}
