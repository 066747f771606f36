import type { Command } from 'commander';
import { counted } from '../../errors/counted.js';
import type { MessageBroker } from '../../broker/broker.js';
import type { BusTap, TapRequest } from '../../observe/tap/bus-tap.js';
import type { TrafficRecord } from '../../observe/traffic/traffic-record.js';
import { type CommandRun, runWork } from '../command.js';
import type { Output } from '../output.js';
import { busFacts, RecordingFile } from '../traffic/recording-file.js';
import { StreamEnd, type StreamEndOptions, withStreamEnd } from '../traffic/stream-end.js';
import { lossesOf, newWatchCommand, type WatchOptions, withTap, withWatchedBus } from '../traffic/tap-session.js';

interface RecordOptions extends StreamEndOptions, WatchOptions {
  readonly withSecrets?: boolean;
}

const head = {
  name: 'record',
  summary: 'write what passes through a bus to a file, for trace and replay',
  examples: [
    'oslo-bus record /tmp/conductor.ndjson --topic conductor --for 1s',
    'oslo-bus record /tmp/conductor.ndjson --topic conductor --until-idle 1s --json',
    'oslo-bus record /tmp/conductor.ndjson --topic conductor --with-secrets --for 1s',
  ],
} as const;

export function recordCommand(run: CommandRun): Command {
  const command = newWatchCommand(head)
    .argument('<file>', 'one that is there is written over; readable for you alone')
    .option('--with-secrets', 'with tokens and passwords, which are masked otherwise');
  return withStreamEnd(command).action((path: string, options: RecordOptions) =>
    runWork(run, head.name, options, (output) =>
      withWatchedBus(options, run.terminal, output, (broker, request) =>
        record(broker, path, request, options, output, run.terminal.interrupted),
      ),
    ),
  );
}

async function record(
  broker: MessageBroker,
  path: string,
  watched: TapRequest,
  options: RecordOptions,
  output: Output,
  interrupted: AbortSignal,
): Promise<void> {
  const request: TapRequest = { ...watched, secrets: options.withSecrets ? 'kept' : 'masked' };
  const failed = new AbortController();
  const end = new StreamEnd(options, AbortSignal.any([interrupted, failed.signal]));
  const recording = new Recording(path, end, () => failed.abort());
  let closed: BusTap | undefined;
  try {
    await withTap(broker, request, output, {
      opened: ({ source }) => recording.begin({ source, ...busFacts(broker), masked: request.secrets === 'masked' }),
      seen: (one) => recording.write(one),
      untilEnd: () => end.reached(() => output.progress(`record: ${recording.progress}`)),
      ended: (tap) => void (closed = tap),
    });
  } finally {
    await recording.close();
  }
  if (closed) recording.told(closed, output);
}

/** A file that is being recorded, and its counts. */
class Recording {
  private written = 0;
  private bytes = 0;
  private file: RecordingFile | undefined;

  constructor(
    private readonly path: string,
    private readonly end: StreamEnd,
    private readonly failed: () => void,
  ) {}

  get progress(): string {
    return `${counted(this.written, 'message')}, ${counted(this.bytes, 'byte')}`;
  }

  begin(facts: Omit<ConstructorParameters<typeof RecordingFile>[1], 'at'>): void {
    this.file = new RecordingFile(this.path, { at: new Date().toISOString(), ...facts }, this.failed);
  }

  write(record: TrafficRecord): void {
    this.end.notIdle();
    if (this.end.isFull) return;
    this.written += 1;
    this.bytes += record.size;
    this.file?.write(record);
    this.end.countOne();
  }

  told(tap: BusTap, output: Output): void {
    const { source } = tap;
    const { received, skipped, droppedAtLeast } = tap.counters;
    const unwritten = this.file?.unwritten ?? 0;
    const facts = { file: this.path, source, received, written: this.written - unwritten, skipped, droppedAtLeast };
    const losses = [
      ...lossesOf(tap),
      ...(unwritten > 0 ? [`${unwritten} not recorded, as the disk was too slow`] : []),
    ];
    output.result({ ...facts, unwritten }, [[`${this.path}  ${this.progress}`, ...losses].join('; ')]);
  }

  async close(): Promise<void> {
    await this.file?.close();
  }
}
