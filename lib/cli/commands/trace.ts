import type { Command } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import type { TapRequest } from '../../observe/tap/bus-tap.js';
import { RequestTimeline } from '../../observe/traffic/request-timeline.js';
import type { TapSource } from '../../observe/traffic/traffic-record.js';
import { type CommandRun, OPTIONS, runWork } from '../command.js';
import { UsageError } from '../exit-codes.js';
import type { Output } from '../output.js';
import { openRecording } from '../traffic/recorded-traffic.js';
import { StreamEnd } from '../traffic/stream-end.js';
import { lossesOf, newWatchCommand, type WatchOptions, withTap, withWatchedBus } from '../traffic/tap-session.js';
import type { Line } from '../tone.js';
import { timelineData, timelineLines } from '../traffic/timeline-drawing.js';

interface TraceOptions extends WatchOptions {
  readonly from?: string;
  readonly follow?: boolean;
  readonly for?: number;
  readonly untilIdle?: number;
}

const head = {
  name: 'trace',
  summary: 'draw the calls and notifications of one request, from a recording or from the bus',
  examples: [
    'oslo-bus trace req-1 --topic conductor --for 1s',
    'oslo-bus trace req-1 --topic conductor --follow --for 1s',
    'oslo-bus trace req-1 --topic conductor --for 1s --json',
  ],
} as const;

/** A request that was seen, and of which nothing more comes, has ended. */
const IDLE_MS = 5_000;

export function traceCommand(run: CommandRun): Command {
  return newWatchCommand(head)
    .argument('<request-id>', 'req-…; a global request id finds what it has led to')
    .option('--from <file>', 'a recording; without, the bus is watched')
    .option('--follow', 'draw it again whenever something has happened, until you interrupt')
    .addOption(OPTIONS.duration('--for <duration>', 'end after that time'))
    .addOption(
      OPTIONS.duration('--until-idle <duration>', 'end when nothing more of it has come for so long (default: 5s)'),
    )
    .action((requestId: string, options: TraceOptions) =>
      runWork(run, head.name, options, (output) => {
        const { terminal } = run;
        if (options.from !== undefined) return fromFile(requestId, options.from, options, output);
        return withWatchedBus(options, terminal, output, (broker, request) =>
          fromBus(broker, requestId, request, options, output, terminal.interrupted),
        );
      }),
    );
}

async function fromFile(requestId: string, path: string, { follow }: TraceOptions, output: Output): Promise<void> {
  if (follow) throw new UsageError('--follow watches the bus, and --from reads a file');
  const { head: recording, records } = await openRecording(path);
  const timeline = new RequestTimeline(requestId, recording.source);
  let now = 0;
  for await (const record of records) {
    now = Math.max(now, record.t);
    timeline.add(record);
  }
  // The clock of a recording stands still at its last record.
  if (recording.source === 'firehose') timeline.passTime(now);
  output.result(...drawingOf(timeline, output));
}

async function fromBus(
  broker: MessageBroker,
  requestId: string,
  request: TapRequest,
  { follow = false, for: forMs, untilIdle = IDLE_MS }: TraceOptions,
  output: Output,
  interrupted: AbortSignal,
): Promise<void> {
  let lastAt: number | undefined;
  let isDrawn = false;
  const timelineOf = (source: TapSource): RequestTimeline =>
    new RequestTimeline(requestId, source, () => {
      lastAt = Date.now();
      isDrawn = false;
    });
  let timeline = timelineOf('firehose');
  const draw = (): void => {
    if (!isDrawn) output.screen(...drawingOf(timeline, output));
    isDrawn = true;
  };
  const quiet = new AbortController();
  const end = new StreamEnd(forMs === undefined ? {} : { for: forMs }, AbortSignal.any([interrupted, quiet.signal]));
  const passTime = (now: number): void => {
    timeline.passTime(now);
    if (lastAt === undefined) return;
    // Not for each message: of a busy request many come in one turn.
    if (follow) draw();
    // A call that waits for its answer is not idle.
    else if (timeline.isSettled && now - lastAt >= untilIdle) quiet.abort();
  };
  await withTap(broker, request, output, {
    opened: ({ source }) => (timeline = timelineOf(source)),
    seen: (record) => timeline.add(record),
    missed: (at) => timeline.missed(at),
    untilEnd: () => end.reached(passTime),
    ended: (tap) => {
      for (const loss of lossesOf(tap)) output.note(`tap: ${loss}`);
    },
  });
  draw();
}

function drawingOf(timeline: RequestTimeline, { columns }: Output): [object, Line[]] {
  const data = timeline.timeline();
  return [timelineData(data), timelineLines(data, columns)];
}
