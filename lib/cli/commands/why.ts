import type { Command } from 'commander';
import { rpcSeamOf } from '../../broker/broker.js';
import { consumedServers, uncountedServers } from '../../observe/bus/bus-look.js';
import { type WalkFinding, walkCall } from '../../observe/bus/call-walk.js';
import { searchVersions } from '../../observe/bus/version-probe.js';
import { ManagementFailure } from '../../observe/bus/management-answers.js';
import type { ManagementApi } from '../../observe/bus/management-api.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import { announce, connected, openBroker } from '../bus/bus-session.js';
import { pingedInterface } from '../bus/conventions.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js';
import { managementOf, type ManagementOptions, virtualHostOf } from '../bus/management.js';
import { topicAndServer, version } from '../option-values.js';
import type { Output } from '../output.js';
import { reasonText } from '../reason-text.js';
import type { Line } from '../tone.js';
import { type ServerAddress, shownAddress } from '../bus/server-addresses.js';
import { servesVersion, silentPing } from '../bus/silent-ping.js';
import { chooseTransport, type TransportChoice } from '../bus/transport-choice.js';

interface WhyOptions extends CommonOptions, ManagementOptions {
  readonly server?: string;
  readonly namespace?: string;
  readonly version?: string;
  readonly timeout?: number;
}

const head = {
  name: 'why',
  summary: 'why does a call time out? walks its way and stops at the first thing that is broken',
  examples: [
    'oslo-bus why conductor',
    'oslo-bus why conductor.host1 --version 1.0',
    'oslo-bus why conductor --timeout 2s --json',
  ],
} as const;

const ANSWER_MS = 5_000;
/** Versions that are tried where that of the call is not served: each one more is an ERROR in the server's log. */
const MOST_REFUSED = 20;

const EXIT_OF_STEP: Readonly<Record<WalkFinding['step'], ExitCode>> = {
  bus: EXIT.unreachable,
  alarm: EXIT.unreachable,
  permission: EXIT.refused,
  exchange: EXIT.nobody,
  queue: EXIT.nobody,
  binding: EXIT.nobody,
  consumers: EXIT.nobody,
  backlog: EXIT.timeout,
  answers: EXIT.timeout,
  'in time': EXIT.timeout,
  version: EXIT.failed,
};

export function whyCommand(run: CommandRun): Command {
  return newCommand(head)
    .argument('<topic[.server]>')
    .addOption(OPTIONS.server())
    .option('--namespace <name>', 'of the interface')
    .option('--version <version>', 'that is called (default: one that is known for the topic, else 1.0)', version)
    .addOption(OPTIONS.duration('--timeout <duration>', 'of each ping (default: 5s)'))
    .addOption(OPTIONS.managementUrl())
    .action((topic: string, options: WhyOptions) =>
      runWork(run, head.name, options, async (output) => {
        const choice = chooseTransport(options, run.terminal.env);
        announce(choice, output, 'looks');
        const api = managementOf(options, choice);
        const others = (finding: WalkFinding): Promise<WalkFinding> =>
          api
            ? withListed(finding, api, choice, topicAndServer(topic, options.server), output)
            : Promise.resolve(finding);
        const { findings, exit } = await walk(choice, topic, options, others, (one) => printed(one, output));
        if (output.json) output.result({ findings, exit }, []);
        else if (findings.every(({ state }) => state === 'ok'))
          output.note(unbroken(topicAndServer(topic, options.server), choice));
        return exit;
      }),
    );
}

async function walk(
  choice: TransportChoice,
  topic: string,
  options: WhyOptions,
  completed: (finding: WalkFinding) => Promise<WalkFinding>,
  tell: (finding: WalkFinding) => void,
): Promise<{ findings: WalkFinding[]; exit: ExitCode }> {
  const findings: WalkFinding[] = [];
  const note = (finding: WalkFinding): void => {
    findings.push(finding);
    tell(finding);
  };
  const broker = openBroker(choice);
  try {
    await connected(broker, choice);
  } catch (error) {
    await broker.close();
    note(unreachable(choice, error));
    return { findings, exit: exitCodeOf(error) };
  }
  const target = { exchange: choice.exchange, ...topicAndServer(topic, options.server), version: options.version };
  const client = new RpcClient(
    broker,
    { ...target, ...pingedInterface(target, options) },
    {
      timeout: (options.timeout ?? ANSWER_MS) / 1_000,
      transportOptions: { atLeastOnce: true },
    },
  );
  try {
    const probes = {
      ping: () => silentPing(client),
      versionsServed: () => versionsServed(client, options.version),
    };
    for await (const finding of walkCall(rpcSeamOf(broker), target, probes)) {
      note(await completed(finding));
    }
  } finally {
    await client.close();
    await broker.close();
  }
  const failure = findings.find(({ state }) => state === 'fail');
  return { findings, exit: failure ? EXIT_OF_STEP[failure.step] : EXIT.done };
}

/** A way that is free says nothing about the method itself. */
function unbroken({ topic }: ServerAddress, { exchange }: TransportChoice): string {
  return (
    'why: nothing on the way is broken. The method itself may be slow: its log says so, or ' +
    `oslo-bus tap --topic ${topic} --exchange ${exchange}, which shows each call (with the firehose on)`
  );
}

/** Where the version that is called was refused already. */
async function versionsServed(client: RpcClient, refused: string | undefined): Promise<readonly string[]> {
  const ask = async (version: string): Promise<boolean> =>
    version !== refused && (await servesVersion(client, version));
  const { served } = await searchVersions(ask, { from: refused, mostRefused: MOST_REFUSED });
  return served;
}

/** Where a server is missing, those that are there tell most; where a binding is missing, those of its queue. */
async function withListed(
  finding: WalkFinding,
  api: ManagementApi,
  choice: TransportChoice,
  { topic, server }: ServerAddress,
  output: Output,
): Promise<WalkFinding> {
  if (finding.state !== 'fail' || !['binding', 'consumers', 'queue'].includes(finding.step)) return finding;
  const { virtualHost } = virtualHostOf(choice);
  try {
    if (finding.step === 'binding') {
      const own = shownAddress({ topic, ...(server !== undefined && { server }) });
      const bindings = (await api.bindings(virtualHost)).filter(({ queue }) => queue === own);
      return { ...finding, boundTo: [...new Set(bindings.map(({ exchange }) => exchange))] };
    }
    const queues = await api.queues(virtualHost);
    const [servers, uncounted] = [consumedServers(topic, queues), uncountedServers(topic, queues)];
    if (uncounted.length === 0) return { ...finding, servers };
    output.note(`why: the broker has not counted the consumers of these servers yet: ${uncounted.join(', ')}`);
    return servers.length === 0 ? finding : { ...finding, servers };
  } catch (error) {
    if (!(error instanceof ManagementFailure)) throw error;
    output.note(`why: what else is there is not known: ${error.message}`);
    return finding;
  }
}

function unreachable({ shownUrl }: TransportChoice, error: unknown): WalkFinding {
  const isRefused = exitCodeOf(error) === EXIT.refused;
  return {
    step: 'bus',
    state: 'fail',
    seen: `${shownUrl} ${isRefused ? 'does not let us in' : 'cannot be reached'}: ${reasonText(error)}`,
    cause: isRefused
      ? 'User, password or virtual host are wrong, or the user has no permission there.'
      : 'The broker is down, the host or the port is another one, or a firewall is in between.',
    next: isRefused
      ? 'compare with `rabbitmqctl list_users` and `list_permissions -p VHOST`'
      : 'check host and port of the URL',
  };
}

function printed({ step, state, seen, cause, next, servers, boundTo }: WalkFinding, output: Output): void {
  if (output.json) return;
  const mark = state === 'fail' ? 'FAIL' : state;
  const tone = ({ ok: 'good', warn: 'doubtful', fail: 'bad' } as const)[state];
  const lines: Line[] = [
    { before: '  ', word: mark, tone, after: `${' '.repeat(4 - mark.length)}  ${step.padEnd(10)}  ${seen}` },
  ];
  if (cause !== undefined) lines.push(`        ${cause}`);
  if (servers)
    lines.push(`        Consumed servers of this topic: ${servers.length === 0 ? 'none' : servers.join(', ')}`);
  if (boundTo)
    lines.push(`        The queue is bound to: ${boundTo.length === 0 ? 'no exchange' : boundTo.join(', ')}`);
  if (next !== undefined) lines.push(`        Next: ${next}`);
  output.result({}, lines);
}
