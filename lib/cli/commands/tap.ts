import { type Command, Option } from 'commander';
import { counted } from '../../errors/counted.js';
import type { MessageBroker } from '../../broker/broker.js';
import type { BusTap, TapRequest } from '../../observe/tap/bus-tap.js';
import { CallPairing, type SeenRequest } from '../../observe/traffic/call-pairing.js';
import { kindOf, requestIdOf, type TrafficRecord } from '../../observe/traffic/traffic-record.js';
import { Glob } from '../../notify/filter/glob.js';
import { type CommandRun, OPTIONS, runWork } from '../command.js';
import { bytes, kinds } from '../option-values.js';
import type { Output } from '../output.js';
import { busFacts, RecordingFile } from '../traffic/recording-file.js';
import { StreamEnd, type StreamEndOptions, withStreamEnd } from '../traffic/stream-end.js';
import { lossesOf, newWatchCommand, type WatchOptions, withTap, withWatchedBus } from '../traffic/tap-session.js';
import {
  answeredAt,
  deliveryData,
  deliveryLine,
  isTrouble,
  nameOf,
  notificationData,
  notificationLine,
  requestData,
  requestLine,
  TRAFFIC_HEAD,
} from '../traffic/traffic-lines.js';

interface TapOptions extends StreamEndOptions, WatchOptions {
  readonly method?: string;
  readonly requestId?: string;
  readonly errors?: boolean;
  readonly slowerThan?: number;
  readonly kinds?: ReadonlySet<string>;
  readonly deliveries?: boolean;
  readonly maxMemory?: number;
  readonly record?: string;
  readonly withSecrets?: boolean;
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

export function tapCommand(run: CommandRun): Command {
  const command = newWatchCommand(head)
    .option('--method <glob>', 'only methods or event types like this')
    .option('--request-id <id>', 'only what belongs to this request')
    .option('--errors', 'only what has gone wrong')
    .addOption(OPTIONS.duration('--slower-than <duration>', 'only answers that took longer'))
    .addOption(new Option('--kinds <kinds>', 'some of call,cast,fanout,notification').argParser(kinds))
    .option('--deliveries', 'each delivery to a server or listener as well')
    .addOption(
      new Option('--max-memory <bytes>', 'for calls that wait for their answer (default: 64MiB)').argParser(bytes),
    )
    .option('--record <file>', 'write all of it to a file as well')
    .option('--with-secrets', 'with secrets in the file');
  return withStreamEnd(command).action((options: TapOptions) =>
    runWork(run, head.name, options, (output) => {
      const shows = filterOf(options);
      const failed = new AbortController();
      const end = new StreamEnd(options, AbortSignal.any([run.terminal.interrupted, failed.signal]));
      return withWatchedBus(options, run.terminal, output, (broker, request) =>
        new TapRun(broker, options, output, shows, end, () => failed.abort()).run({
          ...request,
          secrets: options.record !== undefined && options.withSecrets ? 'kept' : 'masked',
        }),
      );
    }),
  );
}

interface Shows {
  request(request: SeenRequest): boolean;
  /** A notification, or a delivery: neither can fail, or take long. */
  record(record: TrafficRecord): boolean;
}

function filterOf({ kinds: wanted, method, requestId, errors, slowerThan }: TapOptions): Shows {
  const wants = (kind: string): boolean => wanted === undefined || wanted.has(kind);
  const pattern = method === undefined ? undefined : new Glob(method);
  const isNamed = (name: string): boolean => pattern === undefined || pattern.matches(name);
  return {
    request: (request) =>
      wants(request.kind) &&
      isNamed(request.method) &&
      (requestId === undefined || request.requestId === requestId) &&
      (!errors || isTrouble(request)) &&
      (slowerThan === undefined || (answeredAt(request) ?? 0) - request.record.t > slowerThan),
    record: (record) =>
      wants(kindOf(record)) &&
      !errors &&
      slowerThan === undefined &&
      isNamed(nameOf(record)) &&
      (requestId === undefined || requestIdOf(record.message ?? {}) === requestId),
  };
}

/** One tap from its beginning to its end. */
class TapRun {
  private file: RecordingFile | undefined;
  private pairing = new CallPairing({});

  constructor(
    private readonly broker: MessageBroker,
    private readonly options: TapOptions,
    private readonly output: Output,
    private readonly shows: Shows,
    private readonly end: StreamEnd,
    private readonly fileFailed: () => void,
  ) {}

  async run(request: TapRequest): Promise<void> {
    try {
      await withTap(this.broker, request, this.output, {
        opened: (tap) => this.begin(tap, request),
        seen: (record) => this.seen(record),
        missed: (at) => this.pairing.missed(at),
        untilEnd: () => this.end.reached((now) => this.pairing.passTime(now)),
        ended: (tap) => this.summary(tap),
      });
    } finally {
      await this.file?.close();
    }
  }

  private begin({ source }: BusTap, { secrets }: TapRequest): void {
    const observer = {
      published: (request: SeenRequest) => {
        // Of these nothing more is seen, or nothing more is to come.
        if (request.kind !== 'call' || request.state.name === 'unroutable' || source === 'binding') this.show(request);
      },
      ended: (request: SeenRequest) => this.show(request),
    };
    this.pairing = new CallPairing(observer, { source, bytes: this.options.maxMemory });
    if (!this.output.json) this.output.note(TRAFFIC_HEAD);
    const { record } = this.options;
    if (record === undefined) return;
    const at = new Date().toISOString();
    const facts = { at, source, ...busFacts(this.broker), masked: secrets === 'masked' };
    this.file = new RecordingFile(record, facts, this.fileFailed);
  }

  private seen(record: TrafficRecord): void {
    this.end.notIdle();
    this.file?.write(record);
    if (record.ev === 'publish' && kindOf(record) === 'notification') {
      if (this.end.isFull || !this.shows.record(record)) return;
      this.end.countOne();
      this.output.result(notificationData(record), [notificationLine(record)]);
    } else {
      this.pairing.add(record);
    }
    if (this.options.deliveries && record.ev === 'deliver') this.delivered(record);
  }

  private delivered(record: TrafficRecord): void {
    if (this.end.isFull || !this.shows.record(record)) return;
    this.end.countOne();
    this.output.result(deliveryData(record), [deliveryLine(record)]);
  }

  private show(request: SeenRequest): void {
    if (this.end.isFull || !this.shows.request(request)) return;
    this.end.countOne();
    this.output.result(requestData(request), [requestLine(request)]);
  }

  private summary(tap: BusTap): void {
    const { source } = tap;
    const { received, skipped, droppedAtLeast } = tap.counters;
    const { forgotten, unmatchedReplies } = this.pairing.counters;
    const unwritten = this.file?.unwritten ?? 0;
    const facts = {
      source,
      received,
      shown: this.end.shown,
      skipped,
      droppedAtLeast,
      forgotten,
      unmatchedReplies,
      unwritten,
    };
    if (this.output.json) this.output.result({ event: 'end', ...facts }, []);
    const losses = [
      ...lossesOf(tap),
      ...(forgotten > 0 ? [`${forgotten} open requests forgotten`] : []),
      ...(unwritten > 0 ? [`${unwritten} not recorded, as the disk was too slow`] : []),
    ];
    this.output.note(`tap: ${[`${counted(received, 'message')}, ${this.end.shown} shown`, ...losses].join('; ')}`);
  }
}
