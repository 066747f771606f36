import type { Command } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import { MessagingTimeout } from '../../errors/rpc.errors.js';
import { searchVersions, type VersionsServed } from '../../observe/bus/version-probe.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import { highestVersion } from '../../wire/rpc/api-version.js';
import { withBus } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { confirm } from '../confirm.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { collect, version } from '../option-values.js';
import { type Output, tonedColumns } from '../output.js';
import type { TonedEnd } from '../tone.js';
import { addressesOf, type ServerAddress, type ServersOptions, shownAddress } from '../bus/server-addresses.js';
import { servesVersion } from '../bus/silent-ping.js';

interface VersionsOptions extends CommonOptions, ServersOptions {
  readonly namespace?: readonly string[];
  readonly from?: string;
  readonly timeout?: number;
  readonly yes?: boolean;
}

/** The question: one namespace of one server. */
interface Asked extends ServerAddress {
  readonly namespace: string | null;
}

/** The answer to it. */
interface VersionsRow extends Asked {
  readonly answer: 'nobody' | 'nothing' | 'served' | 'silent';
  /** The consumers of its queue: any of them may have answered. */
  readonly consumers: number;
  readonly found: VersionsServed;
}

const head = {
  name: 'versions',
  summary: 'find out which versions servers serve; what they do not serve is an ERROR in their logs',
  examples: [
    'oslo-bus versions conductor --yes',
    'oslo-bus versions conductor.host1 --namespace baseapi --from 1.0 --yes',
    'oslo-bus versions conductor --all --servers host1 --yes --json',
  ],
} as const;

const TIMEOUT_MS = 5_000;
/** More than a service with two majors takes; nova-compute's 5 and 6 take a dozen. */
const MOST_REFUSED = 20;
const NOTHING: VersionsServed = { served: [], calls: 0, refused: 0, state: 'complete' };

const NOT_SERVED: Readonly<Record<Exclude<VersionsRow['answer'], 'served'>, TonedEnd>> = {
  nobody: { word: 'NOBODY', tone: 'bad', after: '' },
  silent: { word: 'SILENT', tone: 'bad', after: '' },
  nothing: { word: 'nothing', tone: 'doubtful', after: '' },
};

const EXIT_OF_ANSWER: Readonly<Record<VersionsRow['answer'], ExitCode>> = {
  served: EXIT.done,
  nothing: EXIT.failed,
  nobody: EXIT.nobody,
  silent: EXIT.timeout,
};

export function versionsCommand(run: CommandRun): Command {
  return newCommand(head)
    .argument('<topics[.server]...>')
    .addOption(OPTIONS.server())
    .addOption(OPTIONS.servers())
    .addOption(OPTIONS.all())
    .addOption(OPTIONS.managementUrl())
    .option('--namespace <name>', 'of an interface (repeatable; default: none)', collect)
    .option('--from <version>', 'one that is called: with a good guess few are refused (default: 1.0)', version)
    .addOption(OPTIONS.duration('--timeout <duration>', 'of each question (default: 5s)'))
    .option('--yes', 'do not ask before the logs are written to')
    .action((topics: string[], options: VersionsOptions) =>
      runWork(run, head.name, options, async (output) => {
        const namespaces = options.namespace ?? [null];
        const { env } = run.terminal;
        const addresses = (await Promise.all(topics.map((topic) => addressesOf(topic, options, env)))).flat();
        const asked = addresses.flatMap((address) => namespaces.map((namespace) => ({ ...address, namespace })));
        const about =
          'each version that is asked for and not served is an ERROR with a traceback in the log of a server: ' +
          `at most ${MOST_REFUSED * asked.length} of them now`;
        if (options.yes) output.note(about);
        else await confirm(run.terminal, output, { about, option: '--yes' });
        return withBus(options, env, output, 'looks', async (broker, { exchange }) => {
          const rows = await rowsOf(broker, exchange, asked, options, run.terminal.interrupted);
          return tell(rows, exchange, output);
        });
      }),
    );
}

async function rowsOf(
  broker: MessageBroker,
  exchange: string,
  asked: readonly Asked[],
  { from, timeout = TIMEOUT_MS }: VersionsOptions,
  signal: AbortSignal,
): Promise<VersionsRow[]> {
  const options = { timeout: timeout / 1_000, transportOptions: { atLeastOnce: true } };
  const client = new RpcClient(broker, { exchange }, options);
  const isThere = await broker.hasExchange(exchange);
  const rows: VersionsRow[] = [];
  try {
    for (const one of asked) {
      if (signal.aborted) break;
      const { topic, server, namespace } = one;
      const consumers = (await broker.inspectQueue(shownAddress(one)))?.consumers ?? 0;
      const to = client.prepare({ topic, server: server ?? null, namespace });
      const search = () =>
        searchVersions((each) => servesVersion(to, each), { from, mostRefused: MOST_REFUSED, signal });
      rows.push({ ...one, consumers, ...(isThere ? await outcomeOf(search) : { answer: 'nobody', found: NOTHING }) });
    }
  } finally {
    await client.close();
  }
  return rows;
}

async function outcomeOf(search: () => Promise<VersionsServed>): Promise<Pick<VersionsRow, 'answer' | 'found'>> {
  try {
    const found = await search();
    return { answer: found.served.length > 0 ? 'served' : 'nothing', found };
  } catch (error) {
    if (error instanceof MessageUndeliverable) return { answer: 'nobody', found: NOTHING };
    if (error instanceof MessagingTimeout) return { answer: 'silent', found: NOTHING };
    throw error;
  }
}

function tell(rows: readonly VersionsRow[], exchange: string, output: Output): ExitCode {
  const lines = tonedColumns([
    ['topic', 'server', 'namespace', 'serves', 'calls', ''],
    ...rows.map((row) => cellsOf(row, aheadOf(row, rows))),
  ]);
  if (!output.json) output.result({}, lines);
  for (const row of rows) {
    const { topic, server, namespace, answer, consumers, found } = row;
    const ahead = aheadOf(row, rows);
    const target = { exchange, topic, ...(server !== undefined && { server }), namespace };
    if (output.json) output.result({ target, answer, consumers, ...found, behind: ahead ?? null }, []);
    if (server === undefined && consumers > 1) {
      output.note(`'${topic}' has ${consumers} consumers, and any of them may have answered: name servers to ask each`);
    }
  }
  return rows.map(({ answer }) => EXIT_OF_ANSWER[answer]).find((code) => code !== EXIT.done) ?? EXIT.done;
}

function cellsOf(row: VersionsRow, ahead: string | undefined): (TonedEnd | string)[] {
  const { topic, server = '-', namespace, answer, found } = row;
  const atLeast = found.state === 'bounded' ? 'at least ' : '';
  const served = answer === 'served' ? `${atLeast}${found.served.join(' ')}` : NOT_SERVED[answer];
  const remark = ahead === undefined ? '' : ({ word: 'behind', tone: 'doubtful', after: `: ${ahead}` } as const);
  return [topic, server, namespace ?? '-', served, String(found.calls), remark];
}

/** The version of another server of the same interface, where that is higher. */
function aheadOf({ topic, namespace, answer, found }: VersionsRow, rows: readonly VersionsRow[]): string | undefined {
  if (answer !== 'served') return undefined;
  const same = rows.filter((row) => row.topic === topic && row.namespace === namespace);
  const highest = highestVersion(same.flatMap((row) => row.found.served));
  const first = same.find((row) => row.found.served[0] === highest);
  return found.served[0] === highest ? undefined : `${first?.server ?? topic} serves ${highest}`;
}
