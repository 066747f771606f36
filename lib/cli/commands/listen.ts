import { type Command, Option } from 'commander';
import { counted } from '../../errors/counted.js';
import type { Delivery, MessageBroker } from '../../broker/broker.js';
import { lossTexts, QueueLosses } from '../../observe/tap/queue-losses.js';
import { textOf } from '../../errors/text-of.js';
import { Glob } from '../../notify/filter/glob.js';
import { NotificationReader } from '../../notify/listener/notification-reader.js';
import { stringifyJson } from '../../wire/json/json.js';
import { NOTIFICATION_PRIORITIES, type NotificationPriority } from '../../wire/notification.js';
import { withBus } from '../bus/bus-session.js';
import { type CommandRun, type CommonOptions, newCommand, runWork } from '../command.js';
import { confirm } from '../confirm.js';
import { UsageError } from '../exit-codes.js';
import {
  fieldsOf,
  NOTIFICATION_ROOTS,
  notificationData,
  notificationLine,
  seenNotification,
  type SeenNotification,
} from '../traffic/notification-lines.js';
import { type ListenMode, openQueues, type ListenRequest, sharedQueues } from '../bus/notification-queues.js';
import { collect } from '../option-values.js';
import type { Output } from '../output.js';
import { runShell } from '../shell-command.js';
import { StreamEnd, type StreamEndOptions, withStreamEnd } from '../traffic/stream-end.js';
import { type Condition, conditionOf, pathOf } from '../traffic/where.js';

interface ListenOptions extends CommonOptions, StreamEndOptions {
  readonly topic?: readonly string[];
  readonly priority?: readonly NotificationPriority[];
  readonly eventType?: readonly string[];
  readonly publisher?: string;
  readonly where?: readonly string[];
  readonly pool?: string;
  readonly take?: boolean;
  readonly yes?: boolean;
  readonly fields?: string;
  readonly raw?: boolean;
  readonly translate?: string;
}

/** What is shown of what comes. */
interface Showing {
  readonly conditions: readonly Condition[];
  readonly fields: readonly (readonly string[])[] | undefined;
  readonly payloads: 'raw' | 'unwrapped';
  readonly translate: string | undefined;
}

const head = {
  name: 'listen',
  summary: 'show notifications; by default everybody else still gets them',
  examples: [
    'oslo-bus listen --for 1s',
    "oslo-bus listen --priority info --event-type 'compute.*' --where payload.state=active --fields id,state --for 1s",
    'oslo-bus listen --pool audit --until-idle 1s --json',
  ],
} as const;

const PREFETCH = 100;
const TRANSLATE_MS = 10_000;

export function listenCommand(run: CommandRun): Command {
  const command = newCommand(head)
    .option('--topic <topic>', 'repeatable (default: of the file, else notifications)', collect)
    .addOption(new Option('--priority <priority>', 'repeatable (default: all)').argParser(collectPriority))
    .option('--event-type <glob>', 'only these (repeatable)', collect)
    .option('--publisher <glob>', 'only of these')
    .option('--where <condition>', `path=text, path!=text or path~glob (repeatable), as payload.state=active`, collect)
    .option('--pool <name>', 'share a pool, which stays')
    .option('--take', 'take them from the queues that all share: nobody else gets those')
    .option('--yes', 'do not ask before --take')
    .option('--fields <paths>', 'only these parts of the payload: a,b.c')
    .option('--raw', 'versioned payloads as they are')
    .option('--translate <command>', 'show what it makes of the payload: JSON on its input');
  return withStreamEnd(command).action((options: ListenOptions) =>
    runWork(run, head.name, options, async (output) => {
      const mode = modeOf(options);
      const showing = showingOf(options);
      if (mode.kind === 'take' && !options.yes) {
        const about =
          '--take takes notifications from the queues that all share: whoever listens there does not get them, nor what the filters leave out';
        await confirm(run.terminal, output, { about, option: '--yes' });
      }
      const end = new StreamEnd(options, run.terminal.interrupted);
      const bus = { ...options, carries: 'notifications' } as const;
      const effect = mode.kind === 'own' ? 'looks' : 'changes';
      await withBus(bus, run.terminal.env, output, effect, (broker, { exchange, notificationTopics }) => {
        const { topic: topics = notificationTopics, priority: priorities = NOTIFICATION_PRIORITIES } = options;
        const prefetch = Math.min(options.count ?? PREFETCH, PREFETCH);
        const request: ListenRequest = { exchange, topics, priorities, mode, prefetch };
        if (mode.kind === 'pool' && sharedQueues(request).includes(mode.pool)) {
          throw new UsageError(`'${mode.pool}' is a queue that all share, and no pool: --take takes from it`);
        }
        return new Listening(broker, request, showing, output, end, run.terminal.interrupted).run();
      });
    }),
  );
}

function modeOf({ pool, take }: ListenOptions): ListenMode {
  if (pool === undefined) return { kind: take ? 'take' : 'own' };
  if (take) throw new UsageError('--pool and --take are two ways: choose one');
  return { kind: 'pool', pool };
}

function showingOf({ eventType = [], publisher, where = [], fields, raw, translate }: ListenOptions): Showing {
  const types = eventType.map((glob) => new Glob(glob));
  const publishers = publisher === undefined ? undefined : new Glob(publisher);
  const ofHead = (seen: object): boolean => {
    const { event_type: type, publisher_id: id } = seen as SeenNotification;
    return (types.length === 0 || types.some((glob) => glob.matches(type))) && (publishers?.matches(id) ?? true);
  };
  return {
    conditions: [ofHead, ...where.map((text) => conditionOf(text, NOTIFICATION_ROOTS))],
    fields: fields?.split(',').map((path) => pathOf(path.trim())),
    payloads: raw ? 'raw' : 'unwrapped',
    translate,
  };
}

function collectPriority(text: string, before: readonly NotificationPriority[] = []): readonly NotificationPriority[] {
  const priority = NOTIFICATION_PRIORITIES.find((one) => one === text.toLowerCase());
  if (priority) return [...before, priority];
  throw new UsageError(`'${text}' is no priority: ${NOTIFICATION_PRIORITIES.join(', ')}`);
}

/** One command from its beginning to its end. */
class Listening {
  private received = 0;
  private unreadable = 0;
  private losses: QueueLosses | undefined;
  /** Notifications are shown one after the other, in their order. */
  private work: Promise<void> = Promise.resolve();
  private readonly leaving = new AbortController();
  private readonly reader: NotificationReader;

  constructor(
    private readonly broker: MessageBroker,
    private readonly request: ListenRequest,
    private readonly showing: Showing,
    private readonly output: Output,
    private readonly end: StreamEnd,
    private readonly interrupted: AbortSignal,
  ) {
    this.reader = new NotificationReader(broker.options, { integers: 'exact' });
  }

  async run(): Promise<void> {
    const opened = await openQueues(this.broker, this.request, (delivery) => this.take(delivery));
    // Queues that last keep what they hold.
    if (this.request.mode.kind === 'own') this.losses = new QueueLosses(this.broker, () => opened.queues);
    try {
      this.output.note(bannerOf(this.request, opened.queues));
      await this.end.reached();
    } finally {
      this.leaving.abort();
      await this.work;
      this.losses?.close();
      await opened.close();
    }
    const { received, unreadable, losses } = this;
    if (this.output.json) {
      const counts = { received, shown: this.end.shown, unreadable, droppedAtLeast: losses?.droppedAtLeast ?? 0 };
      this.output.result({ event: 'end', queues: opened.queues, ...counts }, []);
    }
    const told = [`${counted(received, 'notification')}, ${this.end.shown} shown`];
    if (unreadable > 0) told.push(`${unreadable} could not be read`);
    this.output.note(`listen: ${[...told, ...(losses ? lossTexts(losses) : [])].join('; ')}`);
  }

  private take(delivery: Delivery): void {
    this.end.notIdle();
    this.work = this.work.then(() => this.handle(delivery));
  }

  /** What comes after the end is not acknowledged, and goes back. Never rejects. */
  private async handle(delivery: Delivery): Promise<void> {
    if (this.end.isFull || this.leaving.signal.aborted) return;
    this.received += 1;
    this.losses?.took(delivery);
    try {
      const seen = seenNotification(this.reader.read(delivery).received, this.showing.payloads);
      if (this.showing.conditions.every((fits) => fits(seen))) await this.show(seen, delivery);
    } catch (error) {
      this.unreadable += 1;
      this.output.note(`listen: a notification of '${delivery.queue}' could not be read: ${textOf(error)}`);
    }
    delivery.ack();
  }

  private async show(seen: SeenNotification, delivery: Delivery): Promise<void> {
    const { fields } = this.showing;
    const payload = this.output.visible(fields ? fieldsOf(seen.payload, fields) : seen.payload);
    const translated = await this.translated(payload);
    const line = notificationLine(seen, payload, fields && Infinity);
    const data = notificationData(seen, payload, delivery);
    this.output.result({ ...data, ...(translated !== undefined && { translated }) }, translated?.split('\n') ?? [line]);
    this.end.countOne();
  }

  /** Undefined: not asked for, or it has failed. */
  private async translated(payload: unknown): Promise<string | undefined> {
    const { translate } = this.showing;
    if (translate === undefined) return undefined;
    try {
      const limits = { timeoutMs: TRANSLATE_MS, signal: this.interrupted };
      const { exitCode, out, err } = await runShell(translate, stringifyJson(payload), limits);
      if (exitCode === 0) return out.trimEnd();
      this.output.note(`listen: --translate has ended with ${exitCode}: ${err.trim().split('\n').at(-1)}`);
    } catch (error) {
      this.output.note(`listen: ${textOf(error)}`);
    }
    return undefined;
  }
}

function bannerOf({ mode }: ListenRequest, queues: readonly string[]): string {
  const names = queues.join(' ');
  switch (mode.kind) {
    case 'own':
      return `listen: a queue of its own, '${names}': nobody loses anything; the oldest go when it is full`;
    case 'pool':
      return `listen: pool '${names}': it stays, and gathers notifications until somebody takes them`;
    case 'take':
      return `listen: takes from ${names}: nobody else gets what it takes`;
  }
}
