import { type Command, Option } from 'commander';
import { counted } from '../../errors/counted.js';
import type { MessageBroker } from '../../broker/broker.js';
import type { BusTap, TapRequest } from '../../observe/tap/bus-tap.js';
import { type TrafficRow, TrafficStats } from '../../observe/traffic/traffic-stats.js';
import { type CommandRun, OPTIONS, runWork } from '../command.js';
import { type Output, tonedColumns } from '../output.js';
import type { Line } from '../tone.js';
import { StreamEnd, type StreamEndOptions, withStreamEnd } from '../traffic/stream-end.js';
import { lossesOf, newWatchCommand, type WatchOptions, withTap, withWatchedBus } from '../traffic/tap-session.js';

interface TopOptions extends StreamEndOptions, WatchOptions {
  readonly interval?: number;
  readonly sort: SortKey;
}

/** What waits in a queue, and who takes it. */
interface Backlog {
  readonly backlog?: number;
  readonly consumers?: number;
}

type TopRow = Backlog & TrafficRow;

interface TopTable {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly headLine: string;
  readonly seen: readonly TrafficRow[];
}

const head = {
  name: 'top',
  summary: 'show how busy each topic and method is, again and again',
  examples: [
    'oslo-bus top --topic conductor --interval 500ms --count 2',
    'oslo-bus top --topic conductor --sort p99 --interval 500ms --count 1 --json',
    'oslo-bus top --topic conductor --notifications notifications --interval 500ms --for 1s',
  ],
} as const;

const INTERVAL_MS = 2_000;
/** Bindings can be told of, and rates of all can be read. */
const MAX_RATE = 5_000;
/** Queues that are looked at in an interval: each is a question to the broker. */
const MOST_QUEUES = 50;

const SORTS = {
  name: () => 0,
  rate: (row: TopRow) => row.rate,
  p99: (row: TopRow) => row.p99Ms ?? 0,
  errors: (row: TopRow) => row.errors ?? 0,
  flight: (row: TopRow) => row.inFlight ?? 0,
  backlog: (row: TopRow) => row.backlog ?? 0,
} as const;
type SortKey = keyof typeof SORTS;

export function topCommand(run: CommandRun): Command {
  const command = newWatchCommand(head)
    .addOption(OPTIONS.duration('--interval <duration>', 'between two tables (default: 2s)'))
    .addOption(
      new Option('--sort <column>', 'largest first; on a terminal the first letter does the same, q ends')
        .choices(Object.keys(SORTS))
        .default('name'),
    );
  return withStreamEnd(command).action((options: TopOptions) =>
    runWork(run, head.name, options, (output) => {
      const { terminal } = run;
      const quit = new AbortController();
      const interrupted = AbortSignal.any([terminal.interrupted, quit.signal]);
      return withWatchedBus({ maxRate: MAX_RATE, ...options }, terminal, output, async (broker, request) => {
        const top = new Top(broker, options, output, new StreamEnd(options, interrupted));
        const release = terminal.keys?.((key) => (key === 'q' ? quit.abort() : top.sortBy(key)));
        try {
          await top.run(request);
        } finally {
          release?.();
        }
      });
    }),
  );
}

/** The table, from the first to the last. */
class Top {
  private stats = new TrafficStats('firehose');
  private sort: SortKey;
  private begunAt = Date.now();
  private drawing: Promise<void> | undefined;
  private rows: readonly TopRow[] = [];

  constructor(
    private readonly broker: MessageBroker,
    private readonly options: TopOptions,
    private readonly output: Output,
    private readonly end: StreamEnd,
  ) {
    this.sort = options.sort;
  }

  async run(request: TapRequest): Promise<void> {
    let opened: BusTap | undefined;
    await withTap(this.broker, request, this.output, {
      opened: (tap) => {
        opened = tap;
        this.stats = new TrafficStats(tap.source);
        this.begunAt = Date.now();
      },
      seen: (record) => {
        this.end.notIdle();
        this.stats.add(record);
      },
      missed: (at) => this.stats.missed(at),
      untilEnd: async () => {
        await this.end.reached((now) => this.passTime(now, opened!));
        await this.drawing;
      },
      ended: (tap) => {
        for (const loss of lossesOf(tap)) this.output.note(`top: ${loss}`);
      },
    });
  }

  /** The first letter of a column. */
  sortBy(key: string): void {
    const sort = (Object.keys(SORTS) as SortKey[]).find((name) => name.startsWith(key));
    if (key === '' || sort === undefined) return;
    this.sort = sort;
    if (this.rows.length > 0 && !this.output.json)
      this.output.screen({}, linesOf(sorted(this.rows, sort), 'sorted again'));
  }

  private passTime(now: number, tap: BusTap): void {
    const { interval = INTERVAL_MS } = this.options;
    const elapsedMs = now - this.begunAt;
    if (this.drawing || elapsedMs < interval || this.end.isFull) return;
    this.begunAt = now;
    const { received, skipped, droppedAtLeast } = tap.counters;
    const at = new Date(now).toISOString();
    const losses = lossesOf(tap).map((loss) => `; ${loss}`);
    const table = {
      facts: { at, intervalMs: elapsedMs, source: tap.source, received, skipped, droppedAtLeast },
      headLine: `${at.slice(11, 19)}  ${counted(received, 'message')} so far${losses.join('')}`,
      seen: this.stats.interval(now, elapsedMs / 1_000),
    };
    this.drawing = this.draw(table).finally(() => (this.drawing = undefined));
  }

  /** Its rows and counters are of one moment: more arrives while the broker is asked for the backlogs. */
  private async draw({ facts, headLine, seen }: TopTable): Promise<void> {
    this.rows = await withBacklogs(this.broker, seen);
    const rows = sorted(this.rows, this.sort);
    this.output.screen({ ...facts, rows }, linesOf(rows, headLine));
    this.end.countOne();
  }
}

async function withBacklogs(broker: MessageBroker, rows: readonly TrafficRow[]): Promise<TopRow[]> {
  // Of a fanout each server has a queue of its own, with a name that only it knows.
  const topics = new Set(rows.flatMap(({ kind, topic }) => (kind === 'fanout' ? [] : [topic])));
  const backlogs = new Map<string, Backlog>();
  for (const topic of [...topics].slice(0, MOST_QUEUES)) {
    // While there is no connection nothing is known.
    const seen = await broker.inspectQueue(topic).catch(() => undefined);
    if (seen) backlogs.set(topic, { backlog: seen.messages, consumers: seen.consumers });
  }
  return rows.map((row) => ({ ...row, ...(row.kind !== 'fanout' && backlogs.get(row.topic)) }));
}

function sorted(rows: readonly TopRow[], sort: SortKey): TopRow[] {
  return rows.toSorted((one, other) => SORTS[sort](other) - SORTS[sort](one));
}

function linesOf(rows: readonly TopRow[], headLine: string): Line[] {
  const cells = rows.map((row) => [
    row.topic,
    row.name,
    row.kind,
    row.rate.toFixed(1),
    row.p50Ms?.toFixed(1) ?? '-',
    row.p99Ms?.toFixed(1) ?? '-',
    (row.errors ?? 0) > 0 ? { word: String(row.errors), tone: 'bad' as const, after: '' } : numberIn(row.errors),
    numberIn(row.inFlight),
    numberIn(row.backlog),
    row.consumers === 0 ? { word: '0', tone: 'bad' as const, after: '' } : numberIn(row.consumers),
  ]);
  const titles = ['topic', 'method', 'kind', 'rate/s', 'p50 ms', 'p99 ms', 'errors', 'flight', 'backlog', 'consumers'];
  return [headLine, ...tonedColumns([titles, ...cells])];
}

function numberIn(value: number | undefined): string {
  return value === undefined ? '-' : String(value);
}
