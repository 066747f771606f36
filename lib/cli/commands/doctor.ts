import { type Command, Option } from 'commander';
import { type MessageBroker, rpcSeamOf } from '../../broker/broker.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import { MessagingTimeout, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { chainOf, textOf } from '../../errors/text-of.js';
import { gatherEvidence, judge, type ExaminationRequest, type PingTarget } from '../../observe/findings/examination.js';
import { connectFindings } from '../../observe/findings/bus-findings.js';
import { explained, FINDING_CODES, type FindingCode } from '../../observe/findings/catalogue.js';
import type { PingOutcome, ServedVersion } from '../../observe/findings/evidence.js';
import { tellsNothingOfServers } from '../../observe/bus/call-walk.js';
import { searchVersions } from '../../observe/bus/version-probe.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import { announce, connected, openBroker } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { pingedInterface } from '../bus/conventions.js';
import { type Diagnosis, exitOf, jsonOf, nagiosLine, prometheusLines, textLines } from '../doctor-reports.js';
import { EXIT, type ExitCode, UsageError } from '../exit-codes.js';
import { managementOf, type ManagementOptions, virtualHostOf } from '../bus/management.js';
import { version } from '../option-values.js';
import type { Output } from '../output.js';
import { reasonText } from '../reason-text.js';
import type { Line } from '../tone.js';
import { servesVersion, silentPing } from '../bus/silent-ping.js';
import { chooseTransport, type TransportChoice } from '../bus/transport-choice.js';

interface DoctorOptions extends CommonOptions, ManagementOptions {
  readonly topics?: string;
  readonly servers?: string;
  readonly watch?: number;
  readonly format: 'json' | 'nagios' | 'prometheus' | 'text';
  readonly strict?: boolean;
  readonly explain?: string;
  readonly ping: boolean;
  readonly versions?: boolean;
  readonly namespace?: string;
  readonly version?: string;
  readonly timeout?: number;
}

const head = {
  name: 'doctor',
  summary: 'look for what is wrong with a bus, twice, and say what to do about it',
  examples: [
    'oslo-bus doctor --topics conductor --version 1.0 --watch 1s',
    'oslo-bus doctor --topics conductor --servers host1 --no-ping --watch 1s --json',
    'oslo-bus doctor --explain SRV-BACKLOG',
  ],
} as const;

const WATCH_MS = 5_000;
const TIMEOUT_MS = 5_000;
/** As the command versions: a service with two majors takes a dozen. */
const MOST_REFUSED = 20;
const FORMATS = ['text', 'json', 'nagios', 'prometheus'];

export function doctorCommand(run: CommandRun): Command {
  return newCommand(head)
    .option('--topics <topics>', 'these, separated by commas (default: of the context, the files, the management API)')
    .option('--servers <names>', 'these servers of the topics, separated by commas')
    .addOption(OPTIONS.managementUrl())
    .addOption(OPTIONS.duration('--watch <duration>', 'between the two looks (default: 5s)'))
    .addOption(new Option('--format <format>', 'of the result').choices(FORMATS).default('text'))
    .option('--strict', 'a warning counts as an error, and a hint as a warning')
    .option('--no-ping', 'call no server: none may have a line in its log')
    .option('--versions', 'ask each server for its versions; what it does not serve is an ERROR in its log')
    .option('--namespace <name>', 'of the interface that is pinged, or asked for')
    .option(
      '--version <version>',
      'that is pinged: one that is not served is an ERROR in a log (default: by topic, else 1.0)',
      version,
    )
    .addOption(OPTIONS.duration('--timeout <duration>', 'of each ping (default: 5s)'))
    .option('--explain <code>', 'say what a finding means, and look at nothing')
    .action((options: DoctorOptions) =>
      runWork(run, head.name, { ...options, json: options.json === true || options.format === 'json' }, (output) => {
        if (options.explain !== undefined) return explain(options.explain, output);
        const work = (): Promise<ExitCode> => examined(options, run, output);
        return options.format === 'nagios' ? forNagios(work, output) : work();
      }),
    );
}

async function explain(text: string, output: Output): Promise<void> {
  const code = FINDING_CODES.find((one) => one === text.toUpperCase());
  if (code === undefined) throw new UsageError(`there is no finding '${text}'; there are ${FINDING_CODES.join(', ')}`);
  output.result({ code, text: explained(code satisfies FindingCode) }, explained(code));
}

/** A check that could not look is neither fine nor wrong. */
async function forNagios(work: () => Promise<ExitCode>, output: Output): Promise<ExitCode> {
  try {
    return await work();
  } catch (error) {
    output.result({ error: textOf(error) }, [`UNKNOWN - ${textOf(error)}`]);
    return EXIT.unknown;
  }
}

async function examined(options: DoctorOptions, run: CommandRun, output: Output): Promise<ExitCode> {
  const { env, interrupted } = run.terminal;
  const choice = chooseTransport(options, env);
  announce(choice, output, 'looks');
  const diagnosis = await diagnosed(choice, options, interrupted, output);
  const exit = exitOf(diagnosis, options.strict ? 'strict' : 'lenient');
  if (output.json) output.result(jsonOf(diagnosis, exit), []);
  else output.result({}, linesOf(diagnosis, options.format));
  return exit;
}

function linesOf(diagnosis: Diagnosis, format: DoctorOptions['format']): Line[] {
  if (format === 'nagios') return [nagiosLine(diagnosis)];
  return format === 'prometheus' ? prometheusLines(diagnosis, Date.now()) : textLines(diagnosis);
}

async function diagnosed(
  choice: TransportChoice,
  options: DoctorOptions,
  interrupted: AbortSignal,
  output: Output,
): Promise<Diagnosis> {
  // Before anything is looked at: its URL may be wrong.
  const management = managementOf(options, choice);
  const broker = openBroker(choice);
  try {
    await connected(broker, choice);
  } catch (error) {
    await broker.close();
    return { results: connectFindings(failureOf(choice, error)), queues: [] };
  }
  try {
    const probes = new Probes(rpcSeamOf(broker), choice.exchange, options);
    try {
      const request = {
        ...requestOf(choice, options),
        management,
        ping: options.ping ? probes.ping : undefined,
        askVersion: options.versions ? probes.askVersion : undefined,
      };
      if (options.versions)
        output.note(`doctor: up to ${MOST_REFUSED} ERROR lines in the log of each server, for --versions`);
      output.note(`doctor: two looks, ${request.watchMs / 1_000} s apart`);
      const evidence = await gatherEvidence(rpcSeamOf(broker), request, interrupted);
      return { results: judge(evidence), queues: evidence.queues };
    } finally {
      await probes.close();
    }
  } finally {
    await broker.close();
  }
}

function failureOf({ shownUrl }: TransportChoice, error: unknown) {
  const codes = chainOf(error).map((one) => (one as { code?: unknown }).code);
  const code = codes.find((one) => typeof one === 'number');
  return { url: shownUrl, code, reason: reasonText(error) };
}

type Probing = 'askVersion' | 'management' | 'ping';

function requestOf(choice: TransportChoice, options: DoctorOptions): Omit<ExaminationRequest, Probing> {
  const { conventionalTopics, exchange, isConfigured, notificationTopics } = choice;
  const named = options.topics === undefined ? choice.topics : listOf(options.topics);
  return {
    ...virtualHostOf(choice),
    exchange,
    isConfigured,
    topics: named
      ? named.map((topic) => ({ topic, origin: 'named' }))
      : conventionalTopics.map((topic) => ({ topic, origin: 'conventional' })),
    servers: options.servers === undefined ? [] : listOf(options.servers),
    notificationTopics,
    watchMs: options.watch ?? WATCH_MS,
  };
}

function listOf(text: string): string[] {
  const names = text.split(',').map((one) => one.trim());
  if (names.every((one) => one !== '')) return names;
  throw new UsageError(`'${text}' is no list of names, separated by commas`);
}

/** Silent pings and questions for versions, of interfaces that the servers have as far as that is known. */
class Probes {
  private readonly client: RpcClient;

  constructor(
    broker: MessageBroker,
    exchange: string,
    private readonly options: DoctorOptions,
  ) {
    const timeout = this.timeoutMs / 1_000;
    this.client = new RpcClient(broker, { exchange }, { timeout, transportOptions: { atLeastOnce: true } });
  }

  readonly ping = async (target: PingTarget): Promise<PingOutcome> => {
    try {
      await silentPing(this.client.prepare({ ...target, ...pingedInterface(target, this.options) }));
      return { name: 'answered' };
    } catch (error) {
      if (error instanceof UnsupportedVersion) return { name: 'answered' };
      if (error instanceof MessageUndeliverable) return { name: 'unrouted' };
      if (!(error instanceof MessagingTimeout)) return { name: 'failed', reason: textOf(error) };
      if (tellsNothingOfServers(error)) return { name: 'failed', reason: error.diagnosis?.summary ?? textOf(error) };
      return { name: 'silent', timeoutMs: this.timeoutMs };
    }
  };

  readonly askVersion = async (target: PingTarget & { readonly server: string }): Promise<readonly ServedVersion[]> => {
    const { namespace = null, version: from } = this.options;
    const { topic, server } = target;
    const to = this.client.prepare({ ...target, namespace });
    const one = { topic, server, namespace };
    try {
      const { served } = await searchVersions((each) => servesVersion(to, each), { from, mostRefused: MOST_REFUSED });
      const version =
        served.length === 0 ? { unknown: 'it serves none that was asked for' } : { value: served.join(' ') };
      return [{ ...one, version }];
    } catch (error) {
      return [{ ...one, version: { unknown: textOf(error) } }];
    }
  };

  close(): Promise<void> {
    return this.client.close();
  }

  private get timeoutMs(): number {
    return this.options.timeout ?? TIMEOUT_MS;
  }
}
