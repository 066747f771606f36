import { type Command, Option } from 'commander';
import { counted } from '../../errors/counted.js';
import type { MessageBroker } from '../../broker/broker.js';
import { isSameBus } from '../../config/transport-identity.js';
import { parseTransportUrl, type TransportUrl } from '../../config/transport-url.js';
import type { RecordingHead } from '../../observe/traffic/recording.js';
import { Glob } from '../../notify/filter/glob.js';
import {
  type RecordedAnswer,
  type ReplayPlan,
  ReplayPlanner,
  type ReplayStep,
} from '../../observe/traffic/replay-plan.js';
import { differencesOf, pathPattern, type Difference } from '../../observe/traffic/structural-diff.js';
import { maskedValue } from '../../wire/masked-value.js';
import { announce, requireExchange, withBus } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { EXIT, type ExitCode, UsageError } from '../exit-codes.js';
import { collect, kinds, ratePerSecond } from '../option-values.js';
import type { Output } from '../output.js';
import { openRecording } from '../traffic/recorded-traffic.js';
import { differenceLine, outcomeData, outcomeLine, stepData, stepLine } from '../traffic/replay-lines.js';
import { type ReplayOutcome, ReplayRun } from '../traffic/replay-run.js';
import { chooseTransport } from '../bus/transport-choice.js';

interface ReplayOptions extends CommonOptions {
  readonly send?: boolean;
  readonly to?: string;
  readonly only?: readonly string[];
  readonly kinds?: ReadonlySet<string>;
  readonly speed: number;
  readonly maxRate?: number;
  readonly timeout?: number;
  readonly compare?: boolean;
  readonly ignore?: readonly string[];
  readonly contextJson?: Record<string, unknown>;
  readonly allowMasked?: boolean;
  readonly sameBus?: boolean;
}

const head = {
  name: 'replay',
  summary: 'send what was recorded again, elsewhere, and compare the answers; a dry run unless you say --send',
  examples: [
    'oslo-bus replay /tmp/conductor.ndjson',
    'oslo-bus replay /tmp/conductor.ndjson --send --same-bus --allow-masked --speed max',
    "oslo-bus replay /tmp/conductor.ndjson --only '*ping' --send --same-bus --compare --ignore updated_at --json",
  ],
} as const;

const MAX_RATE = 50;
const TIMEOUT_MS = 60_000;
const SPEEDS: Readonly<Record<string, number>> = { '1': 1, '10': 10, max: Infinity };

export function replayCommand(run: CommandRun): Command {
  return newCommand(head)
    .argument('<file>', 'a recording, of record or tap --record')
    .option('--send', 'do send it; without, nothing but a list is made')
    .option('--to <url>', 'the bus that it is sent to; the same as --transport-url')
    .option('--only <glob>', 'only methods or event types like this (repeatable)', collect)
    .addOption(new Option('--kinds <kinds>', 'some of call,cast,fanout,notification').argParser(kinds))
    .addOption(
      new Option('--speed <speed>', '1: as recorded, 10: ten times as fast, max: as --max-rate allows')
        .choices(Object.keys(SPEEDS))
        .default(1)
        .argParser(speed),
    )
    .addOption(new Option('--max-rate <n>', 'so many messages a second at most (default: 50)').argParser(ratePerSecond))
    .addOption(OPTIONS.duration('--timeout <duration>', 'of calls that were recorded without one (default: 60s)'))
    .option('--compare', 'compare answers with the recorded ones; exit 1 where they differ')
    .option('--ignore <path>', 'not this part of the answers, as instances.*.updated_at (repeatable)', collect)
    .addOption(OPTIONS.jsonObject('--context-json <json>', 'keys of every request context, or @file: a token'))
    .option('--allow-masked', 'send masked secrets as ***')
    .option('--same-bus', 'send it to the bus that was recorded')
    .action((path: string, options: ReplayOptions) =>
      runWork(run, head.name, options, (output) => replay(run, path, options, output)),
    );
}

/** @throws UsageError */
function speed(text: string): number {
  const times = SPEEDS[text];
  if (times !== undefined) return times;
  throw new UsageError(`'${text}' is no speed: 1, 10 or max`);
}

async function replay(
  { terminal: { env, interrupted } }: CommandRun,
  path: string,
  { to, ...options }: ReplayOptions,
  output: Output,
): Promise<ExitCode> {
  const transport = { ...options, ...(to !== undefined && { transportUrl: to }) };
  const choice = chooseTransport(transport, env);
  const { plan, recording } = await planOf(path, options);
  const bus = parseTransportUrl(choice.url);
  const refusals = refusalsOf(plan, recording.url, bus, options);
  told(plan, output);
  if (!options.send) {
    announce(choice, output, 'looks');
    for (const step of plan.steps) output.result({ event: 'planned', ...stepData(step) }, [stepLine(step)]);
    for (const refusal of refusals) output.note(`replay: with --send this is refused: ${refusal}`);
    output.note(`replay: a dry run, nothing is sent; ${counted(plan.steps.length, 'message')} with --send`);
    return EXIT.done;
  }
  const [refusal] = refusals;
  if (refusal !== undefined) throw new UsageError(refusal);
  return withBus(transport, env, output, 'changes', (broker) => {
    if (!options.sameBus) requireOther(broker, bus, recording);
    return sent(broker, plan, options, output, interrupted);
  });
}

async function planOf(path: string, options: ReplayOptions): Promise<{ plan: ReplayPlan; recording: RecordingHead }> {
  const planner = new ReplayPlanner(options.contextJson, wantedBy(options));
  const { head: recording, records } = await openRecording(path);
  for await (const record of records) planner.add(record);
  return { plan: planner.plan(), recording };
}

function wantedBy({ only, kinds: wantedKinds }: ReplayOptions): (step: ReplayStep) => boolean {
  const globs = only?.map((pattern) => new Glob(pattern));
  return (step) => {
    if (wantedKinds && !wantedKinds.has(step.kind)) return false;
    return globs === undefined || namesOf(step).some((name) => globs.some((glob) => glob.matches(name)));
  };
}

/** `ping` and `baseapi.ping` both mean a method. */
function namesOf(step: ReplayStep): string[] {
  if (step.kind === 'notification') return [step.eventType];
  const { namespace } = step.target;
  return namespace ? [step.method, `${namespace}.${step.method}`] : [step.method];
}

function refusalsOf(
  { steps }: ReplayPlan,
  recordedUrl: string,
  bus: TransportUrl,
  { sameBus, allowMasked }: ReplayOptions,
): string[] {
  const masked = steps.filter(({ isMasked }) => isMasked);
  return [
    ...(sameBus || isElsewhere(recordedUrl, bus) ? [] : [sameBusText(recordedUrl)]),
    ...(allowMasked || masked.length === 0
      ? []
      : [
          `secrets are masked in ${counted(masked.length, 'message')}: give them with --context-json, record --with-secrets, or say ` +
            '--allow-masked',
        ]),
  ];
}

/** Hosts have several names; a bus gives itself one, which connections are told. @throws UsageError it is the bus of the recording */
function requireOther({ clusterName }: MessageBroker, { virtualHost }: TransportUrl, recording: RecordingHead): void {
  const { cluster, url } = recording;
  if (cluster === undefined || cluster !== clusterName) return;
  if (parseTransportUrl(url).virtualHost === virtualHost) throw new UsageError(sameBusText(`'${cluster}'`));
}

function sameBusText(bus: string): string {
  return `the recording is of this bus, ${bus}: name another one, or say --same-bus`;
}

/** A URL that is none tells nothing. */
function isElsewhere(recordedUrl: string, bus: TransportUrl): boolean {
  try {
    return !isSameBus(parseTransportUrl(recordedUrl), bus);
  } catch {
    return false;
  }
}

function told({ leftOut: { unwanted, unreadable, tooMany } }: ReplayPlan, output: Output): void {
  if (unwanted > 0) output.note(`replay: ${counted(unwanted, 'message')} left out by --only or --kinds`);
  if (unreadable > 0)
    output.note(
      `replay: ${counted(unreadable, 'message')} left out: neither request nor notification, or not readable`,
    );
  if (tooMany > 0)
    output.note(`replay: ${counted(tooMany, 'message')} too many for one replay: choose by --only or --kinds`);
}

async function sent(
  broker: MessageBroker,
  { steps }: ReplayPlan,
  options: ReplayOptions,
  output: Output,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  for (const exchange of new Set(steps.map((step) => step.exchange))) await requireExchange(broker, exchange);
  const tally = new Tally(options, output);
  const { speed: times, maxRate = MAX_RATE, timeout: timeoutMs = TIMEOUT_MS } = options;
  const run = new ReplayRun(broker, { speed: times, maxRate, timeoutMs }, (...ended) => tally.ended(...ended));
  try {
    const count = await run.run(steps, interrupted);
    return tally.end(count, steps.length);
  } finally {
    await run.close();
  }
}

/** Counts what became of a replay, and tells of each message. */
class Tally {
  private readonly counts: Record<ReplayOutcome['name'] | 'different' | 'notCompared' | 'same', number> = {
    answered: 0,
    different: 0,
    failed: 0,
    interrupted: 0,
    nobody: 0,
    'not sent': 0,
    notCompared: 0,
    same: 0,
    sent: 0,
    timeout: 0,
  };
  private readonly ignored: readonly (readonly string[])[];

  constructor(
    private readonly options: ReplayOptions,
    private readonly output: Output,
  ) {
    this.ignored = (options.ignore ?? []).map(pathPattern);
  }

  ended(step: ReplayStep, outcome: ReplayOutcome, elapsedMs: number): void {
    this.counts[outcome.name] += 1;
    const differences = this.options.compare ? this.compared(step, outcome) : undefined;
    this.output.result(
      {
        event: 'replayed',
        ...stepData(step),
        ...outcomeData(outcome, elapsedMs),
        ...(differences && { same: differences.length === 0, differences }),
      },
      [outcomeLine(step, outcome, elapsedMs), ...(differences ?? []).map(differenceLine)],
    );
  }

  end(sentCount: number, planned: number): ExitCode {
    const { counts, options, output } = this;
    const { answered, failed, nobody, timeout, different, same, notCompared } = counts;
    if (output.json) output.result({ event: 'end', planned, published: sentCount, ...counts }, []);
    const told = [`${sentCount} of ${planned} sent`, `${answered} answered`, `${failed} failed`];
    if (nobody > 0) told.push(`${nobody} to nobody`);
    if (timeout > 0) told.push(`${timeout} timed out`);
    if (options.compare) told.push(`${same} the same`, `${different} different`, `${notCompared} not compared`);
    output.note(`replay: ${told.join(', ')}`);
    if (options.compare) return different > 0 ? EXIT.failed : EXIT.done;
    if (nobody > 0 || counts['not sent'] > 0) return EXIT.nobody;
    if (timeout > 0) return EXIT.timeout;
    return failed > 0 ? EXIT.failed : EXIT.done;
  }

  /** Undefined: no answer was recorded, or there could be none. */
  private compared(step: ReplayStep, outcome: ReplayOutcome): Difference[] | undefined {
    if (step.kind !== 'call' || !step.answer || outcome.name === 'interrupted') {
      this.counts.notCompared += 1;
      return undefined;
    }
    const differences =
      step.answer.name === outcome.name
        ? differencesOf(comparable(step.answer), comparable(outcome), this.ignored)
        : [{ path: [], recorded: endOf(step.answer), now: endOf(outcome) }];
    this.counts[differences.length === 0 ? 'same' : 'different'] += 1;
    return differences;
  }
}

/** Secrets are masked on both sides, as they may be so in the recording. */
function comparable(end: RecordedAnswer | ReplayOutcome): unknown {
  return maskedValue('result' in end ? end.result : 'failure' in end ? { ...end.failure } : undefined);
}

/** How a call has ended, where that alone is another way than before. */
function endOf(end: RecordedAnswer | ReplayOutcome): unknown {
  return 'failure' in end ? `${end.name}: ${end.failure.excType}` : end.name;
}
