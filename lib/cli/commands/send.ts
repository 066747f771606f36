import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { MessagingTimeout, NoSuchMethod, RemoteError, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import { describeTarget, type Target } from '../../wire/target.js';
import { requireExchange, withBus } from '../bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { CommandEnd, EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js';
import { jsonObject, keyValues, namespaceAndMethod, topicAndServer } from '../option-values.js';
import { type Output, shownMs } from '../output.js';

interface SendOptions extends CommonOptions {
  readonly args?: string;
  readonly server?: string;
  readonly version?: string;
  readonly timeout?: number;
  readonly monitor?: number;
  readonly contextJson?: Record<string, unknown>;
  readonly requestId?: string;
  readonly wait?: boolean;
}

/** One request, before it is sent. */
interface Sending {
  readonly kind: 'call' | 'cast' | 'fanout';
  readonly target: Target;
  readonly method: string;
  readonly args: Record<string, unknown>;
  readonly context: Record<string, unknown> & { readonly request_id: string };
  readonly options: SendOptions;
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
    .option('--version <version>', 'of the interface')
    .addOption(OPTIONS.jsonObject('--context-json <json>', 'the request context, or @file'))
    .option('--request-id <id>', 'default: a new one')
    .option('--wait', 'do not fail at once where nobody is there');
  if (kind !== 'fanout') command.addOption(OPTIONS.server());
  if (kind === 'call') {
    command.addOption(OPTIONS.duration('--timeout <duration>', 'of the call (default: 60s)'));
    command.addOption(OPTIONS.duration('--monitor <duration>', 'give up after so long without a heartbeat'));
  }
  return command.action((topic: string, method: string, pairs: string[], options: SendOptions) =>
    runWork(run, kind, options, (output) => {
      const sending = sendingOf(kind, topic, method, pairs, options);
      return withBus(options, run.terminal.env, output, 'changes', (broker, { exchange }) =>
        send(broker, { ...sending, target: { exchange, ...sending.target } }, output, run.terminal.interrupted),
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
    context: { ...options.contextJson, request_id: options.requestId ?? `req-${randomUUID()}` },
    options,
  };
}

async function send(broker: MessageBroker, sending: Sending, output: Output, signal: AbortSignal): Promise<ExitCode> {
  const { kind, target, method, args, context, options } = sending;
  // Sending would make it, as services do; a wrong name would stay behind.
  await requireExchange(broker, target.exchange ?? '');
  const { fanout, ...base } = target;
  const client = new RpcClient(broker, base, { transportOptions: { atLeastOnce: !options.wait } });
  const begun = performance.now();
  try {
    const to = client.prepare({
      ...(fanout && { fanout }),
      timeout: (options.timeout ?? TIMEOUT_MS) / 1_000,
      callMonitorTimeout: options.monitor === undefined ? null : options.monitor / 1_000,
    });
    const result =
      kind === 'call' ? await to.call(method, args, { context, signal }) : await to.cast(method, args, { context });
    const elapsedMs = performance.now() - begun;
    output.note(`${headOf(sending)}  ${kind === 'call' ? '' : 'sent in '}${shownMs(elapsedMs)}`);
    const lines = kind === 'call' ? output.pretty(result ?? null) : [];
    output.result(
      { ...factsOf(sending, elapsedMs), outcome: 'ok', ...(kind === 'call' && { result: result ?? null }) },
      lines,
    );
    return EXIT.done;
  } catch (error) {
    return failed(error, sending, performance.now() - begun, output);
  } finally {
    await client.close();
  }
}

function headOf({ context, target, method }: Sending): string {
  const { namespace, version } = target;
  return `${context.request_id}  ${describeTarget(target)}  ${namespace ? `${namespace}.` : ''}${method}${version ? ` v${version}` : ''}`;
}

function factsOf({ context, target, method }: Sending, elapsedMs: number): object {
  return { requestId: context.request_id, target, method, elapsedMs: Math.round(elapsedMs * 10) / 10 };
}

/** An answer that is a failure, or none, is a result; anything else has failed before. */
function failed(error: unknown, sending: Sending, elapsedMs: number, output: Output): ExitCode {
  const exit = exitCodeOf(error);
  if (error instanceof RemoteError) {
    const { excType, module, remoteMessage: message, args, kwargs, remoteTraceback: traceback } = error;
    output.note(`${headOf(sending)}  FAIL after ${shownMs(elapsedMs)}`);
    const detail = { excType, module, message, args, kwargs, traceback };
    output.result({ ...factsOf(sending, elapsedMs), outcome: 'failed', error: detail }, remoteLines(error));
  } else if (error instanceof NoSuchMethod || error instanceof UnsupportedVersion) {
    output.note(`${headOf(sending)}  FAIL after ${shownMs(elapsedMs)}`);
    const detail = { excType: error.name, module: 'oslo_messaging.rpc.dispatcher', message: error.message };
    output.result({ ...factsOf(sending, elapsedMs), outcome: 'failed', error: detail }, [
      `${error.name}: ${error.message}`,
    ]);
  } else if (error instanceof MessagingTimeout) {
    const { diagnosis } = error;
    output.note(`${headOf(sending)}  TIMED OUT after ${shownMs(elapsedMs)}`);
    const next = `oslo-bus why ${describeTarget({ ...sending.target, exchange: undefined })} --exchange ${sending.target.exchange}`;
    const lines = [`  ${diagnosis?.summary ?? error.message}`, `  next: ${next}`];
    output.result({ ...factsOf(sending, elapsedMs), outcome: 'timeout', diagnosis: diagnosis ?? null, next }, []);
    for (const line of output.json ? [] : lines) output.note(line);
  } else {
    throw error;
  }
  throw new CommandEnd(exit);
}

function remoteLines({ excType, module, remoteMessage, args, remoteTraceback }: RemoteError): string[] {
  const lines = remoteTraceback.flatMap((text) => text.split('\n')).filter((line) => line.trim() !== '');
  const last = lines.slice(-TRACEBACK_LINES).map((line) => `    ${line}`);
  const head = [`${excType}: ${remoteMessage}    module ${module}`, `  args  ${JSON.stringify(args, bigintAsText)}`];
  if (last.length === 0) return head;
  return [...head, `  remote traceback (last ${last.length} of ${lines.length}; --json has all)`, ...last];
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
