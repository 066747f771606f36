import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { MessagingTimeout, NoSuchMethod, RemoteError, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import { stringifyJson } from '../../wire/json/json.js';
import { describeTarget, type Target } from '../../wire/target.js';
import { requireExchange, withBus } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js';
import { count, jsonObject, keyValues, namespaceAndMethod, topicAndServer, version } from '../option-values.js';
import { failureText, type Output, shownMs } from '../output.js';

interface SendOptions extends CommonOptions {
  readonly args?: string;
  readonly server?: string;
  readonly version?: string;
  readonly timeout?: number;
  readonly monitor?: number;
  readonly contextJson?: Record<string, unknown>;
  readonly requestId?: string;
  readonly wait?: boolean;
  readonly count?: number;
  readonly raw?: boolean;
}

/** One request, before it is sent. */
interface Sending {
  readonly kind: 'call' | 'cast' | 'fanout';
  readonly target: Target;
  readonly method: string;
  readonly args: Record<string, unknown>;
  readonly options: SendOptions;
}

/** The same under its request id. */
interface Sent extends Sending {
  readonly context: Record<string, unknown> & { readonly request_id: string };
}

const TIMEOUT_MS = 60_000;
const TRACEBACK_LINES = 3;

const heads = {
  call: {
    name: 'call',
    summary: 'call a method, and show its answer',
    examples: [
      'oslo-bus call conductor ping arg=hi',
      'oslo-bus call conductor.host1 baseapi.ping arg=hi --version 1.0 --timeout 5s',
      'oslo-bus call conductor ping --args \'{"arg": 12}\' --json',
    ],
  },
  cast: {
    name: 'cast',
    summary: 'send a request that nobody answers',
    examples: [
      'oslo-bus cast conductor ping arg=hi',
      'oslo-bus cast conductor.host1 baseapi.ping n:=12',
      'oslo-bus cast conductor ping --request-id req-1 --json',
    ],
  },
  fanout: {
    name: 'fanout',
    summary: 'send a request to every server of a topic',
    examples: [
      'oslo-bus fanout conductor ping arg=all',
      'oslo-bus fanout conductor baseapi.ping --version 1.0',
      'oslo-bus fanout conductor ping --context-json \'{"user": "admin"}\' --json',
    ],
  },
} as const;

/** `call`, `cast` and `fanout`. */
export function sendCommand(kind: Sending['kind'], run: CommandRun): Command {
  const command = newCommand(heads[kind])
    .argument('<topic[.server]>')
    .argument('<[namespace.]method>')
    .argument('[arguments...]', 'key=text, key:=JSON, key=@file')
    .option('--args <json>', 'all arguments as a JSON object, @file, or - for stdin')
    .option('--version <version>', 'of the interface', version)
    .addOption(OPTIONS.jsonObject('--context-json <json>', 'the request context, or @file'))
    .option('--request-id <id>', 'default: a new one')
    .option('--wait', 'do not fail at once where nobody is there')
    .addOption(new Option('--count <n>', 'so often, one after the other').argParser(count));
  if (kind !== 'fanout') command.addOption(OPTIONS.server());
  if (kind === 'call') {
    command.addOption(OPTIONS.duration('--timeout <duration>', 'of the call (default: 60s)'));
    command.option('--raw', 'the answer on one line, a text without its quotes');
    command.addOption(OPTIONS.duration('--monitor <duration>', 'give up after so long without a heartbeat'));
  }
  return command.action((topic: string, method: string, pairs: string[], options: SendOptions) =>
    runWork(run, kind, options, (output) => {
      const sending = sendingOf(kind, topic, method, pairs, options);
      return withBus(options, run.terminal.env, output, 'changes', (broker, { exchange }) =>
        sendAll(broker, { ...sending, target: { exchange, ...sending.target } }, output, run.terminal.interrupted),
      );
    }),
  );
}

function sendingOf(
  kind: Sending['kind'],
  topic: string,
  method: string,
  pairs: readonly string[],
  options: SendOptions,
): Sending {
  const { namespace, method: name } = namespaceAndMethod(method);
  const address = kind === 'fanout' ? { topic, fanout: true } : topicAndServer(topic, options.server);
  return {
    kind,
    target: { ...address, namespace: namespace ?? null, version: options.version ?? null },
    method: name,
    args: { ...(options.args === undefined ? {} : jsonObject(options.args, '--args')), ...keyValues(pairs) },
    options,
  };
}

/** The exit code of the first that was not good. */
async function sendAll(
  broker: MessageBroker,
  sending: Sending,
  output: Output,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { target, options } = sending;
  await requireExchange(broker, target.exchange ?? '');
  const { fanout: _fanout, ...base } = target;
  const client = new RpcClient(broker, base, { transportOptions: { atLeastOnce: !options.wait } });
  let exit: ExitCode = EXIT.done;
  try {
    for (let n = 0; n < (options.count ?? 1) && !(n > 0 && signal.aborted); n++) {
      const context = { ...options.contextJson, request_id: options.requestId ?? `req-${randomUUID()}` };
      const code = await send(client, { ...sending, context }, output, signal);
      if (exit === EXIT.done) exit = code;
    }
  } finally {
    await client.close();
  }
  return exit;
}

async function send(client: RpcClient, sent: Sent, output: Output, signal: AbortSignal): Promise<ExitCode> {
  const { kind, target, method, args, context, options } = sent;
  const begun = performance.now();
  try {
    const to = client.prepare({
      ...(target.fanout && { fanout: true }),
      timeout: (options.timeout ?? TIMEOUT_MS) / 1_000,
      callMonitorTimeout: options.monitor === undefined ? null : options.monitor / 1_000,
    });
    const result =
      kind === 'call' ? await to.call(method, args, { context, signal }) : await to.cast(method, args, { context });
    const elapsedMs = performance.now() - begun;
    output.note(`${headOf(sent)}  ${kind === 'call' ? '' : 'sent in '}${shownMs(elapsedMs)}`);
    const lines = kind === 'call' ? linesOf(result ?? null, options, output) : [];
    output.result(
      { ...factsOf(sent, elapsedMs), outcome: 'ok', ...(kind === 'call' && { result: result ?? null }) },
      lines,
    );
    return EXIT.done;
  } catch (error) {
    return failed(error, sent, performance.now() - begun, output);
  }
}

function linesOf(result: unknown, { raw }: SendOptions, output: Output): string[] {
  if (!raw) return output.pretty(result);
  return [typeof result === 'string' ? result : stringifyJson(output.visible(result))];
}

function headOf({ context, target, method }: Sent): string {
  const { namespace, version } = target;
  return `${context.request_id}  ${describeTarget(target)}  ${namespace ? `${namespace}.` : ''}${method}${version ? ` v${version}` : ''}`;
}

function factsOf({ context, target, method }: Sent, elapsedMs: number): object {
  return { requestId: context.request_id, target, method, elapsedMs: Math.round(elapsedMs * 10) / 10 };
}

/** An answer that is a failure, or none, is a result; anything else has failed before. */
function failed(error: unknown, sent: Sent, elapsedMs: number, output: Output): ExitCode {
  const exit = exitCodeOf(error);
  if (error instanceof RemoteError) {
    const { excType, module, remoteMessage: message, args, kwargs, remoteTraceback: traceback } = error;
    output.note({ before: `${headOf(sent)}  `, word: 'FAIL', tone: 'bad', after: ` after ${shownMs(elapsedMs)}` });
    const detail = { excType, module, message, args, kwargs, traceback };
    output.result({ ...factsOf(sent, elapsedMs), outcome: 'failed', error: detail }, remoteLines(error));
  } else if (error instanceof NoSuchMethod || error instanceof UnsupportedVersion) {
    output.note({ before: `${headOf(sent)}  `, word: 'FAIL', tone: 'bad', after: ` after ${shownMs(elapsedMs)}` });
    const detail = { excType: error.name, module: 'oslo_messaging.rpc.dispatcher', message: error.message };
    output.result({ ...factsOf(sent, elapsedMs), outcome: 'failed', error: detail }, [
      `${error.name}: ${error.message}`,
    ]);
  } else if (error instanceof MessagingTimeout) {
    const { diagnosis } = error;
    output.note({ before: `${headOf(sent)}  `, word: 'TIMED OUT', tone: 'bad', after: ` after ${shownMs(elapsedMs)}` });
    const next = whyOf(sent);
    const lines = [`  ${diagnosis?.summary ?? error.message}`, `  next: ${next}`];
    output.result({ ...factsOf(sent, elapsedMs), outcome: 'timeout', diagnosis: diagnosis ?? null, next }, []);
    for (const line of output.json ? [] : lines) output.note(line);
  } else {
    throw error;
  }
  return exit;
}

/** The command that finds out more: for the same bus and interface. */
function whyOf({ target, options }: Sent): string {
  const { exchange, namespace, version } = target;
  const places = [
    ...(options.configFile ?? []).map((path) => ['--config-file', path]),
    ['--context', options.context],
    ['--exchange', exchange],
    ['--namespace', namespace],
    ['--version', version],
  ].flatMap(([name, value]) => (value ? [`${name} ${value}`] : []));
  return ['oslo-bus why', describeTarget({ ...target, exchange: undefined }), ...places].join(' ');
}

function remoteLines({ excType, module, remoteMessage: message, args, remoteTraceback }: RemoteError): string[] {
  const lines = remoteTraceback.flatMap((text) => text.split('\n')).filter((line) => line.trim() !== '');
  const last = lines.slice(-TRACEBACK_LINES).map((line) => `    ${line}`);
  const head = [
    `${failureText({ excType, message })}    module ${module}`,
    `  args  ${JSON.stringify(args, bigintAsText)}`,
  ];
  if (last.length === 0) return head;
  return [...head, `  remote traceback (last ${last.length} of ${lines.length}; --json has all)`, ...last];
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
