import { Argument, type Command, Option } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { stringifyJson } from '../../wire/json/json.js';
import { describeTarget } from '../../wire/target.js';
import { BENCH_KINDS, benchTarget, type BenchRequest } from '../bench/bench-target.js';
import { loadOfProcesses, type LoadReport, ParentProcess, shareIn, shareOf } from '../bench/bench-processes.js';
import { checked, type Expectation, type ExpectationResult, expectations } from '../bench/expectations.js';
import { LoadGenerator, type LoadModel, type LoadPlan } from '../bench/load-generator.js';
import { LoadTally, msText } from '../bench/load-tally.js';
import { Metronome } from '../bench/metronome.js';
import { withBus } from '../bus/bus-session.js';
import { pingedInterface } from '../bus/conventions.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { EXIT, type ExitCode, UsageError } from '../exit-codes.js';
import {
  byteSize,
  count,
  jsonObject,
  namespaceAndMethod,
  ratePerSecond,
  topicAndServer,
  version,
} from '../option-values.js';
import { columns, Output } from '../output.js';
import type { TonedLine } from '../tone.js';
import { SILENT_METHOD } from '../bus/silent-ping.js';
import type { TransportChoice } from '../bus/transport-choice.js';

interface BenchOptions extends CommonOptions {
  readonly server?: string;
  readonly namespace?: string;
  readonly version?: string;
  readonly rate?: number;
  readonly concurrency?: number;
  readonly duration?: number;
  readonly count?: number;
  readonly size?: number;
  readonly args?: string;
  readonly warmup?: number;
  readonly timeout?: number;
  readonly processes?: number;
  readonly expect?: readonly Expectation[];
  readonly fill?: boolean;
  readonly worker?: string;
}

const head = {
  name: 'bench',
  summary: 'measure how fast a server answers, or the broker takes messages',
  examples: [
    'oslo-bus bench call conductor --version 1.0 --rate 50/s --duration 1s --warmup 100ms',
    "oslo-bus bench call conductor ping --args '{}' --concurrency 4 --count 100 --warmup 100ms --expect 'errors=0' --json",
    'oslo-bus bench cast conductor --version 1.0 --count 100 --size 1KiB --warmup 100ms',
  ],
} as const;

const DEFAULTS = { durationMs: 10_000, size: 100, timeoutMs: 10_000, warmupMs: 2_000 } as const;
const EVENT_TYPE = 'oslo_bus.bench';
const PROGRESS_MS = 1_000;

export function benchCommand(run: CommandRun): Command {
  return newCommand(head)
    .addArgument(new Argument('<kind>', 'of the messages').choices(BENCH_KINDS))
    .argument('<topic[.server]>', 'where they go; of notifications the topic')
    .argument(
      '[method]',
      'with its namespace, or an event type (default: one that no server has, which changes nothing)',
    )
    .addOption(OPTIONS.server())
    .option('--namespace <name>', 'of the interface, where no method is named')
    .option(
      '--version <version>',
      'of the interface: one that the server serves (default: one that is known for the topic, else 1.0)',
      version,
    )
    .addOption(
      new Option('--rate <n/s>', 'open model: so many a second, whatever becomes of them').argParser(ratePerSecond),
    )
    .addOption(new Option('--concurrency <n>', 'closed model: so many at a time (default: 1)').argParser(count))
    .addOption(OPTIONS.duration('--duration <duration>', 'for so long (default: 10s)'))
    .addOption(new Option('--count <n>', 'or so many').argParser(count))
    .addOption(new Option('--size <size>', 'of the arguments, as 100B or 10KiB (default: 100B)').argParser(byteSize))
    .option('--args <json>', 'these arguments, or the payload: a JSON object, or @file')
    .addOption(OPTIONS.duration('--warmup <duration>', 'what is sent in that time does not count (default: 2s)'))
    .addOption(OPTIONS.duration('--timeout <duration>', 'of each call (default: 10s)'))
    .addOption(new Option('--processes <n>', 'that send (default: 1)').argParser(count))
    .addOption(
      new Option('--expect <expectations>', 'exit code 1 unless: p99<50ms,errors=0,rate>=480/s').argParser(
        expectations,
      ),
    )
    .option('--fill', 'send notifications that nobody takes')
    .addOption(new Option('--worker <share>').hideHelp())
    .action((kind: BenchRequest['kind'], topic: string, method: string | undefined, options: BenchOptions) =>
      runWork(run, head.name, options, (output) => {
        const modelled = modelOf(options);
        const carries = kind === 'notify' ? 'notifications' : 'rpc';
        const own = options.worker === undefined ? output : silent(run);
        return withBus({ ...options, carries }, run.terminal.env, own, 'changes', (broker, choice) => {
          const request = requestOf(kind, topic, method, options, choice);
          const bench = new Bench(broker, request, modelled, options, output);
          return options.worker === undefined ? bench.run(run) : bench.workFor(process, shareIn(options.worker), run);
        });
      }),
    );
}

/** Which bus it is has been said before. */
function silent({ terminal }: CommandRun): Output {
  return new Output({ ...terminal, err: () => undefined }, head.name, false);
}

/** @throws UsageError */
function modelOf({ rate, concurrency, processes = 1 }: BenchOptions): LoadModel {
  if (rate !== undefined && concurrency !== undefined) throw new UsageError('either --rate or --concurrency');
  if (rate !== undefined) return { name: 'open', perSecond: rate };
  const closed = concurrency ?? processes;
  if (closed < processes) throw new UsageError('there are more --processes than requests at a time');
  return { name: 'closed', concurrency: closed };
}

/** @throws UsageError */
function requestOf(
  kind: BenchRequest['kind'],
  topic: string,
  named: string | undefined,
  options: BenchOptions,
  { exchange }: TransportChoice,
): BenchRequest {
  const { args, size, namespace, version, server, timeout = DEFAULTS.timeoutMs, fill = false } = options;
  if (args !== undefined && size !== undefined) throw new UsageError('either --args or --size');
  // A method that somebody serves may know no argument of ours.
  const filling = size ?? (named === undefined || kind === 'notify' ? DEFAULTS.size : undefined);
  const common = {
    kind,
    args:
      args === undefined ? (filling === undefined ? {} : { data: 'x'.repeat(filling) }) : jsonObject(args, '--args'),
    timeoutMs: timeout,
    fill,
  };
  if (kind === 'notify') return { ...common, target: { exchange, topic }, method: named ?? EVENT_TYPE };
  const address = { exchange, ...topicAndServer(topic, server) };
  if (named === undefined) {
    const target = { ...address, ...pingedInterface(address, { namespace, version }) };
    return { ...common, target, method: SILENT_METHOD };
  }
  const { namespace: own = null, method } = namespaceAndMethod(named);
  return { ...common, target: { ...address, namespace: own, version: version ?? null }, method };
}

/** One load, from its beginning to its result. */
class Bench {
  private readonly tally = new LoadTally();

  constructor(
    private readonly broker: MessageBroker,
    private readonly request: BenchRequest,
    private readonly model: LoadModel,
    private readonly options: BenchOptions,
    private readonly output: Output,
  ) {}

  async run({ terminal }: CommandRun): Promise<ExitCode> {
    const { processes = 1 } = this.options;
    const { again } = terminal;
    if (processes > 1 && !again) throw new UsageError('--processes needs a program of its own');
    const target = benchTarget(this.broker, this.request);
    let report: LoadReport;
    try {
      await target.check();
      this.output.note(this.title());
      const own = { index: 0, of: 1 };
      const several = (): ReturnType<NonNullable<typeof again>>[] =>
        Array.from({ length: processes }, (_, index) => again!(['--worker', `${index}/${processes}`]));
      report =
        processes > 1
          ? await loadOfProcesses(several(), this.tally, terminal.interrupted)
          : await this.generate(target, own, terminal.interrupted, (request) => this.tally.add(request));
    } finally {
      await target.close();
      this.output.progress('');
    }
    return this.tell(report);
  }

  /** As one of several processes. */
  async workFor(
    own: NodeJS.Process,
    share: Parameters<typeof shareOf>[1],
    { terminal }: CommandRun,
  ): Promise<ExitCode> {
    const parent = new ParentProcess(own);
    const target = benchTarget(this.broker, this.request);
    try {
      // The first call makes the reply queue: that is no part of the load.
      await target.check();
      await parent.begin();
      const interrupted = AbortSignal.any([parent.stopped, terminal.interrupted]);
      parent.end(await this.generate(target, share, interrupted, (request) => parent.measured(request)));
      return EXIT.done;
    } finally {
      await target.close();
    }
  }

  private async generate(
    target: ReturnType<typeof benchTarget>,
    share: Parameters<typeof shareOf>[1],
    interrupted: AbortSignal,
    measured: LoadPlan['measured'],
  ): Promise<LoadReport> {
    const { warmup: warmupMs = DEFAULTS.warmupMs, count: most = Infinity } = this.options;
    const durationMs = this.options.duration ?? (most === Infinity ? DEFAULTS.durationMs : Infinity);
    let late = 0;
    const unwatch = this.broker.events.watch((event) => {
      if (event.type === 'reply-unmatched' && event.reason === 'late') late += 1;
    });
    const metronome = this.model.name === 'open' ? new Metronome() : undefined;
    const generator = new LoadGenerator({
      model: sharedModel(this.model, share),
      warmupMs,
      durationMs,
      count: most === Infinity ? most : shareOf(most, share),
      ...(this.model.name === 'open' && { offsetMs: (share.index * 1_000) / this.model.perSecond }),
      ...(metronome && { sleep: (ms: number) => metronome.sleep(ms) }),
      send: (signal) => target.send(signal),
      measured,
    });
    const cpu = process.cpuUsage();
    const progress = setInterval(() => this.progress(generator.inFlight), PROGRESS_MS);
    try {
      const { elapsedMs } = await generator.run(interrupted);
      const { user, system } = process.cpuUsage(cpu);
      return { elapsedMs, late, cpuMs: (user + system) / 1_000, memoryBytes: process.memoryUsage.rss() };
    } finally {
      clearInterval(progress);
      unwatch();
      await metronome?.close();
    }
  }

  private progress(inFlight: number): void {
    const { latencies, sent } = this.tally;
    const { p50, p99 } = latencies;
    this.output.progress(`  ${sent} done   p50 ${msText(p50)}   p99 ${msText(p99)} ms   in flight ${inFlight}`);
  }

  private title(): string {
    const { kind, target, method, args } = this.request;
    const { count: most, duration, warmup, processes = 1 } = this.options;
    const name = target.namespace ? `${target.namespace}.${method}` : method;
    const model =
      this.model.name === 'open' ? `open at ${this.model.perSecond}/s` : `closed, ${this.model.concurrency} at a time`;
    const end = most === undefined ? `for ${seconds(duration ?? DEFAULTS.durationMs)}` : `${most} of them`;
    const parts = [
      `${kind} ${describeTarget(target)} ${name}`,
      `arguments of ${Buffer.byteLength(stringifyJson(args))} B`,
      model,
      end,
      `${processes} process${processes === 1 ? '' : 'es'}`,
      `warm-up ${seconds(warmup ?? DEFAULTS.warmupMs)}`,
    ];
    return parts.join(', ');
  }

  private tell({ elapsedMs, late, cpuMs, memoryBytes }: LoadReport): ExitCode {
    const { outcomes, sent, latencies, behindSchedule, reasons } = this.tally;
    const { answered, failed, unsent, 'timed out': timedOut } = outcomes;
    const { warmup: warmupMs = DEFAULTS.warmupMs, processes = 1, expect = [] } = this.options;
    const perSecond = elapsedMs === 0 ? 0 : (answered * 1_000) / elapsedMs;
    const results = checked(expect, this.tally, perSecond);
    const cpuPercent = (100 * cpuMs) / (elapsedMs + warmupMs);
    const isOpen = this.model.name === 'open';
    const { kind, target, method } = this.request;
    this.output.result(
      {
        kind,
        target,
        method,
        model: this.model,
        processes,
        warmupMs,
        elapsedMs: rounded(elapsedMs),
        sent,
        answered,
        failed,
        timedOut,
        unsent,
        late,
        perSecond: rounded(perSecond),
        latencyMs: latencies,
        ...(isOpen && { behindMs: behindSchedule }),
        reasons: [...reasons].map(([reason, times]) => ({ reason, times })),
        ours: { cpuPercent: rounded(cpuPercent), memoryBytes },
        expectations: results,
      },
      [
        `sent ${sent}   answered ${answered}   failed ${failed}   timed out ${timedOut}   late ${late}` +
          `${unsent > 0 ? `   unsent ${unsent}` : ''}   ${perSecond.toFixed(1)}/s`,
        ...columns([
          ['', 'p50', 'p90', 'p99', 'p99.9', 'max'],
          ['ms', ...[latencies.p50, latencies.p90, latencies.p99, latencies['p99.9'], latencies.max].map(msText)],
        ]),
        `   ${this.tally.picture()}`,
        ...[...reasons].map(([reason, times]) => `${times} times: ${reason}`),
        ...results.map(expectationLine),
        `ours: ${cpuPercent.toFixed(0)} % CPU, ${(memoryBytes / 1_000_000).toFixed(0)} MB` +
          (isOpen ? `, requests went out ${msText(behindSchedule.p99)} ms after their time (p99)` : ''),
      ],
    );
    const isUseless = answered === 0 && sent > 0;
    return !isUseless && results.every(({ met }) => met) ? EXIT.done : EXIT.failed;
  }
}

function sharedModel(model: LoadModel, share: Parameters<typeof shareOf>[1]): LoadModel {
  if (model.name === 'open') return { name: 'open', perSecond: model.perSecond / share.of };
  return { name: 'closed', concurrency: shareOf(model.concurrency, share) };
}

function expectationLine(result: ExpectationResult): TonedLine {
  const after = `  ${result.text}  (${actualText(result)})`;
  if (result.met) return { before: '', word: 'ok', tone: 'good', after: `  ${after}` };
  return { before: '', word: 'MISS', tone: 'bad', after };
}

function actualText({ actual, unit }: ExpectationResult): string {
  return unit === 'ms' ? `${msText(actual)} ms` : `${Number(actual.toFixed(3))}${unit}`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}
