import type { Command } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import { MessagingTimeout, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { pauseUnless } from '../pause-unless.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import { withBus } from '../bus/bus-session.js';
import { pingedInterface, type PingedInterface } from '../bus/conventions.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { version } from '../option-values.js';
import { type Output, shownMs } from '../output.js';
import type { TonedLine } from '../tone.js';
import { addressesOf, type ServerAddress, type ServersOptions, shownAddress } from '../bus/server-addresses.js';
import { SILENT_METHOD, silentPing } from '../bus/silent-ping.js';

interface PingOptions extends CommonOptions, ServersOptions {
  readonly namespace?: string;
  readonly version?: string;
  readonly endpoint?: boolean;
  readonly count?: number;
  readonly interval?: number;
  readonly timeout?: number;
}

type Pinged = PingedInterface & ServerAddress;

/** The outcome of one ping. */
type PingAnswer =
  | { readonly answer: 'alive'; readonly ms: number; readonly versionServed: boolean }
  | { readonly answer: 'nobody' }
  | { readonly answer: 'silent'; readonly reason: string };

const head = {
  name: 'ping',
  summary: 'ask a server whether it is alive, without leaving a trace in its log where its version is known',
  examples: [
    'oslo-bus ping conductor --version 1.0',
    'oslo-bus ping conductor.host1 --version 1.0 --count 3 --interval 100ms',
    'oslo-bus ping conductor --all --servers host1 --version 1.0 --json',
  ],
} as const;

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 5_000;
const ENDPOINT = 'oslo_rpc_server_ping';

export function pingCommand(run: CommandRun): Command {
  return newCommand(head)
    .argument('<topic[.server]>')
    .addOption(OPTIONS.server())
    .addOption(OPTIONS.servers())
    .addOption(OPTIONS.all())
    .addOption(OPTIONS.managementUrl())
    .option('--namespace <name>', 'of the interface')
    .option(
      '--version <version>',
      'one that it serves: another leaves an ERROR in its log (default: one that is known for the topic, else 1.0)',
      version,
    )
    .option('--endpoint', `call ${ENDPOINT}, which services may switch on`)
    .addOption(OPTIONS.count())
    .addOption(OPTIONS.duration('--interval <duration>', 'between two (default: 1s)'))
    .addOption(OPTIONS.duration('--timeout <duration>', 'of each (default: 5s)'))
    .action((topic: string, options: PingOptions) =>
      runWork(run, head.name, options, async (output) => {
        const addresses = await addressesOf(topic, options, run.terminal.env);
        return withBus(options, run.terminal.env, output, 'looks', (broker, { exchange }) => {
          const targets = addresses.map((one) => ({ ...one, ...askedOf({ exchange, ...one }, options) }));
          if (!options.endpoint && targets.some(({ version }) => version === null)) {
            output.note('no --version: 1.0 is asked for; a server that does not serve it logs an ERROR');
          }
          return pingAll(broker, exchange, targets, options, output, run.terminal.interrupted);
        });
      }),
    );
}

/** The endpoint has no namespace, whatever else the server serves. */
function askedOf(target: ServerAddress & { readonly exchange: string }, options: PingOptions): PingedInterface {
  const { endpoint, namespace, version } = options;
  return endpoint ? { namespace: namespace ?? null, version: version ?? null } : pingedInterface(target, options);
}

async function pingAll(
  broker: MessageBroker,
  exchange: string,
  targets: readonly Pinged[],
  options: PingOptions,
  output: Output,
  interrupted: AbortSignal,
): Promise<ExitCode> {
  let worst: ExitCode = EXIT.done;
  const method = options.endpoint ? ENDPOINT : SILENT_METHOD;
  const client = new RpcClient(
    broker,
    { exchange },
    {
      timeout: (options.timeout ?? TIMEOUT_MS) / 1_000,
      transportOptions: { atLeastOnce: true },
    },
  );
  try {
    for (let n = 0; n < (options.count ?? 1) && !interrupted.aborted; n++) {
      if (n > 0) await pauseUnless(interrupted, options.interval ?? INTERVAL_MS);
      if (interrupted.aborted) break;
      for (const target of targets) {
        const answer = (await broker.hasExchange(exchange)) ? await pinged(client, target, method) : NOBODY;
        const { topic, server } = target;
        const asked = { exchange, topic, ...(server !== undefined && { server }) };
        output.result({ target: asked, n: n + 1, ...answer }, [lineOf(target, answer)]);
        if (answer.answer === 'nobody') worst = EXIT.nobody;
        else if (answer.answer === 'silent' && worst === EXIT.done) worst = EXIT.timeout;
      }
    }
  } finally {
    await client.close();
  }
  return worst;
}

const NOBODY: PingAnswer = { answer: 'nobody' };

async function pinged(client: RpcClient, target: Pinged, method: string): Promise<PingAnswer> {
  const to = client.prepare(target);
  const begun = performance.now();
  try {
    const ms = await silentPing(to, method);
    return { answer: 'alive', ms: rounded(ms), versionServed: true };
  } catch (error) {
    if (error instanceof UnsupportedVersion) {
      return { answer: 'alive', ms: rounded(performance.now() - begun), versionServed: false };
    }
    if (error instanceof MessageUndeliverable) return NOBODY;
    if (!(error instanceof MessagingTimeout)) throw error;
    return { answer: 'silent', reason: error.diagnosis?.summary ?? error.message };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function lineOf(target: ServerAddress, answer: PingAnswer): TonedLine {
  const before = `${shownAddress(target)}  `;
  switch (answer.answer) {
    case 'alive':
      return {
        before,
        word: 'alive',
        tone: 'good',
        after: `  ${shownMs(answer.ms)}${answer.versionServed ? '' : '  (it does not serve that version)'}`,
      };
    case 'nobody':
      return { before, word: 'NOBODY', tone: 'bad', after: ': no queue takes its requests' };
    case 'silent':
      return { before, word: 'SILENT', tone: 'bad', after: `: ${answer.reason}` };
  }
}
