import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import type { MessageBroker } from '../../broker/broker.js';
import { NotifierCore } from '../../notify/notifier/notifier-core.js';
import { isRecord } from '../../wire/json/is-record.js';
import { NOTIFICATION_PRIORITIES, type NotificationPriority } from '../../wire/notification.js';
import { requireExchange, withBus } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, OPTIONS, runWork } from '../command.js';
import { NobodyThere, UsageError } from '../exit-codes.js';
import { collect, jsonText, keyValues } from '../option-values.js';
import { type Output, shownMs } from '../output.js';

interface NotifyCommandOptions extends CommonOptions {
  readonly payload?: string;
  readonly priority: NotificationPriority;
  readonly publisherId?: string;
  readonly topic?: readonly string[];
  readonly format: '1' | '2';
  readonly contextJson?: Record<string, unknown>;
  readonly requestId?: string;
  readonly declare?: boolean;
  readonly timeout?: number;
}

/** One notification, before it is sent. */
interface Notifying {
  readonly exchange: string;
  readonly topics: readonly string[];
  readonly eventType: string;
  readonly payload: unknown;
  readonly publisherId: string;
  readonly context: Record<string, unknown> & { readonly request_id: string };
  readonly options: NotifyCommandOptions;
}

const head = {
  name: 'notify',
  summary: 'send a notification, as services do',
  examples: [
    'oslo-bus notify compute.instance.create.end id=i1 state=active --declare',
    'oslo-bus notify volume.create.error --priority error --publisher-id volume.host1 --payload \'{"size": 10}\' --declare',
    'oslo-bus notify compute.instance.update memory_mb:=512 --topic notifications --topic audit --declare --json',
  ],
} as const;

const TIMEOUT_MS = 10_000;
const DRIVERS = { '1': 'messaging', '2': 'messagingv2' } as const;

export function notifyCommand(run: CommandRun): Command {
  return newCommand(head)
    .argument('<event-type>')
    .argument('[payload...]', 'key=text, key:=JSON, key=@file')
    .option('--payload <json>', 'the payload as JSON, @file, or - for stdin')
    .addOption(new Option('--priority <priority>').choices(NOTIFICATION_PRIORITIES).default('info'))
    .option('--publisher-id <id>', 'default: oslo-bus.HOST')
    .option('--topic <topic>', 'repeatable (default: of the file, else notifications)', collect)
    .addOption(new Option('--format <format>', 'bare, or in an envelope').choices(['1', '2']).default('2'))
    .addOption(OPTIONS.jsonObject('--context-json <json>', 'the request context, or @file'))
    .option('--request-id <id>', 'default: a new one')
    .option('--declare', 'make the exchange and the queue where they are missing, as services do')
    .addOption(OPTIONS.duration('--timeout <duration>', 'until the broker has it (default: 10s)'))
    .action((eventType: string, pairs: string[], options: NotifyCommandOptions) =>
      runWork(run, head.name, options, (output) => {
        const payload = payloadOf(options.payload, pairs);
        const bus = { ...options, carries: 'notifications' } as const;
        return withBus(bus, run.terminal.env, output, 'changes', (broker, { exchange, notificationTopics }) =>
          send(
            broker,
            {
              exchange,
              topics: options.topic ?? notificationTopics,
              eventType,
              payload,
              publisherId: options.publisherId ?? `oslo-bus.${hostname()}`,
              context: { ...options.contextJson, request_id: options.requestId ?? `req-${randomUUID()}` },
              options,
            },
            output,
          ),
        );
      }),
    );
}

function payloadOf(json: string | undefined, pairs: readonly string[]): unknown {
  const given = json === undefined ? {} : jsonText(json, '--payload');
  if (pairs.length === 0) return given;
  if (!isRecord(given))
    throw new UsageError('key=value goes into a payload that is a JSON object, and --payload is none');
  return { ...given, ...keyValues(pairs) };
}

async function send(broker: MessageBroker, notifying: Notifying, output: Output): Promise<void> {
  const { exchange, topics, eventType, payload, publisherId, context, options } = notifying;
  const { priority, timeout = TIMEOUT_MS, format } = options;
  const queues = topics.map((topic) => `${topic}.${priority}`);
  if (!options.declare) await requirePlaces(broker, exchange, queues);
  const notifier = new NotifierCore(broker, {
    exchange,
    topics,
    publisherId,
    driver: DRIVERS[format],
    timeout: timeout / 1_000,
  });
  const begun = performance.now();
  try {
    await notifier.notify(priority, eventType, payload, { context });
  } finally {
    await notifier.close();
  }
  const elapsedMs = Math.round((performance.now() - begun) * 10) / 10;
  output.note(`${context.request_id}  ${exchange}/${queues.join(' ')}  ${eventType}  sent in ${shownMs(elapsedMs)}`);
  const waiting = await tellUnheard(broker, queues, output);
  const facts = { requestId: context.request_id, exchange, topics, priority, eventType, publisherId };
  output.result({ ...facts, outcome: 'ok', elapsedMs, unheard: waiting }, []);
}

/** Sending would make them, as it does for services; what a wrong name has made would stay behind, and fill. */
async function requirePlaces(broker: MessageBroker, exchange: string, queues: readonly string[]): Promise<void> {
  await requireExchange(broker, exchange);
  for (const queue of queues) {
    if (await broker.inspectQueue(queue)) continue;
    throw new NobodyThere(`there is no queue '${queue}'; --declare makes it`);
  }
}

/** Who sends a notification is never told that nobody listens. */
async function tellUnheard(broker: MessageBroker, queues: readonly string[], output: Output): Promise<string[]> {
  const unheard: string[] = [];
  for (const queue of queues) {
    if ((await broker.inspectQueue(queue))?.consumers !== 0) continue;
    unheard.push(queue);
    output.note(`nobody consumes '${queue}': what is sent waits there (pools have queues of their own)`);
  }
  return unheard;
}
