import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { counted } from '../../errors/counted.js';
import type { MessageBroker } from '../../broker/broker.js';
import { RemoteError } from '../../errors/rpc.errors.js';
import { textOf } from '../../errors/text-of.js';
import type { IncomingRequest } from '../../rpc/server/incoming-request.js';
import { RpcServer } from '../../rpc/server/rpc-server.js';
import { serverQueueName, topicQueueName } from '../../wire/topology.js';
import { withBus } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { duration, version } from '../option-values.js';
import { type Output, shownMs } from '../output.js';
import { StandIn, type StandInOptions } from '../stand-in.js';
import { StreamEnd, type StreamEndOptions, withStreamEnd } from '../traffic/stream-end.js';
import { argumentsOf, clock } from '../traffic/traffic-lines.js';

interface ServeOptions extends CommonOptions, StreamEndOptions, StandInOptions {
  readonly server?: string;
  readonly beside?: boolean;
  readonly idle?: number;
}

/** The outcome of a request. */
interface Served {
  readonly outcome: 'failed' | 'ok';
  readonly result?: unknown;
  readonly error?: string;
}

/** Whose place is taken. */
interface Place {
  readonly exchange: string;
  readonly topic: string;
  readonly server: string;
}

const head = {
  name: 'serve',
  summary: 'stand in for a server: answer whatever it is asked',
  examples: [
    'oslo-bus serve standin --echo --until-idle 1s',
    'oslo-bus serve standin --server host9 --version 1.4 --reply \'{"state": "active"}\' --delay 200ms --for 1s',
    "oslo-bus serve standin --methods 'ping*' --fail 'nova.exception.HostNotFound:no such host' --for 1s --json",
  ],
} as const;

const STARTUP_MS = 10_000;
const STOP_MS = 5_000;
const SHORT_ID = 12;
/** As servers have it. */
const POOL_SIZE = 64;

export function serveCommand(run: CommandRun): Command {
  const command = newCommand(head)
    .argument('<topic>')
    .option('--server <name>', 'of the server (default: the name of this host)')
    .option('--namespace <name>', 'refuse all others (default: take any)')
    .addOption(new Option('--version <version>', 'refuse what it does not fit (default: take any)').argParser(version))
    .option('--reply <json>', 'answer this, or @file')
    .option('--exec <command>', 'run a shell command: the request as JSON on its input, the answer on its output')
    .option('--fail <failure>', 'fail with module.Class:message')
    .option('--echo', 'answer the arguments')
    .option('--routes <file>', 'a JSON object: per method (a glob) one of reply, exec, fail, echo, and delay')
    .addOption(OPTIONS.duration('--delay <duration>', 'before each answer'))
    .option('--methods <glob>', 'only these; others do not exist')
    .option('--beside', 'also where the topic has servers: they share its requests then')
    .addOption(new Option('--idle <duration>').argParser(duration).hideHelp());
  return withStreamEnd(command).action((topic: string, options: ServeOptions) =>
    runWork(run, head.name, options, (output) => {
      const standIn = new StandIn(options);
      const ends = { ...options, untilIdle: options.untilIdle ?? options.idle };
      return withBus(options, run.terminal.env, output, 'changes', async (broker, { exchange }) => {
        const place = { exchange, topic, server: options.server ?? hostname() };
        const end = new StreamEnd(ends, run.terminal.interrupted);
        await new Serving(broker, place, standIn, output, end).run(options);
      });
    }),
  );
}

/** One stand-in from its beginning to its end. */
class Serving {
  private readonly leaving = new AbortController();
  private readonly left = new Promise<void>((resolve) => {
    this.leaving.signal.addEventListener('abort', () => resolve());
  });

  constructor(
    private readonly broker: MessageBroker,
    private readonly place: Place,
    private readonly standIn: StandIn,
    private readonly output: Output,
    private readonly end: StreamEnd,
  ) {}

  async run({ beside, count }: ServeOptions): Promise<void> {
    const { topic, server } = this.place;
    const queues = [topicQueueName(topic), serverQueueName(topic, server)];
    const made = await this.missing(queues, beside);
    const anyMethod = (_args: never, request: IncomingRequest): Promise<unknown> => this.serve(request);
    const rpc = new RpcServer(this.broker, this.place, [{ methods: {}, anyMethod }], {
      // One at a time, so that no more are taken than are counted.
      executorThreadPoolSize: count === undefined ? POOL_SIZE : 1,
      shutdownTimeoutMs: STOP_MS,
      sendTraceback: false,
    });
    try {
      await rpc.start(STARTUP_MS);
      this.output.note(`serve: stands in for ${server}, takes requests from ${queues.join(' ')}`);
      await this.end.reached();
    } finally {
      this.leaving.abort();
      await rpc.close();
    }
    await this.removeEmpty(made);
    if (this.output.json) this.output.result({ event: 'end', requests: this.end.shown }, []);
    this.output.note(`serve: ${counted(this.end.shown, 'request')}`);
  }

  /** Queues that we make. @throws UsageError the topic has servers */
  private async missing(queues: readonly string[], beside = false): Promise<string[]> {
    const missing: string[] = [];
    for (const queue of queues) {
      const seen = await this.broker.inspectQueue(queue);
      if (!seen) missing.push(queue);
      if (beside || !seen?.consumers) continue;
      throw new UsageError(
        `'${queue}' has consumers: ${seen.consumers}. A stand-in would take requests from them; say --beside if it shall`,
      );
    }
    return missing;
  }

  private async serve(request: IncomingRequest): Promise<unknown> {
    this.end.notIdle();
    // A fanout that came with the last one; it is nobody else's.
    if (this.end.isFull) return null;
    const begun = performance.now();
    try {
      const result = await this.standIn.answer(request, this.leaving.signal);
      this.tell(request, performance.now() - begun, { outcome: 'ok', result: result ?? null });
      return result;
    } catch (error) {
      this.tell(request, performance.now() - begun, { outcome: 'failed', error: reasonOf(error) });
      throw error;
    } finally {
      this.end.countOne();
      // The one handler is busy until the server has been told to take no more.
      if (this.end.isFull) await this.left;
    }
  }

  private tell(request: IncomingRequest, elapsedMs: number, result: Served): void {
    const { target, method, namespace, version: requested, args, requestId, isCall, isFanout } = request;
    const kind = isFanout ? 'fanout' : isCall ? 'call' : 'cast';
    const at = Date.now();
    const what =
      `${namespace === null ? '' : `${namespace}.`}${method} v${requested} ${argumentsOf({ args })}`.trimEnd();
    const { error } = result;
    const came =
      error === undefined
        ? ({ word: 'ok', tone: 'good', after: '' } as const)
        : ({ word: 'FAIL', tone: 'bad', after: ` ${error}` } as const);
    const cells = [
      clock(at),
      kind.padEnd(6),
      what.padEnd(36),
      (requestId ?? '-').slice(0, SHORT_ID),
      shownMs(elapsedMs),
      '',
    ];
    const facts = { at: new Date(at).toISOString(), kind, target, method, args, requestId: requestId ?? null };
    this.output.result({ event: 'request', ...facts, elapsedMs: Math.round(elapsedMs * 10) / 10, ...result }, [
      { before: cells.join('  '), ...came },
    ]);
  }

  /** A queue of a server that is gone would gather requests that nobody answers. */
  private async removeEmpty(made: readonly string[]): Promise<void> {
    for (const queue of made) {
      const seen = await this.broker.inspectQueue(queue);
      if (!seen || seen.consumers > 0) continue;
      if (seen.messages === 0) await this.broker.deleteQueue(queue);
      else this.output.note(`serve: '${queue}' stays, with ${seen.messages} waiting`);
    }
  }
}

/** As its caller sees it. */
function reasonOf(error: unknown): string {
  return error instanceof RemoteError ? error.message : textOf(error);
}
