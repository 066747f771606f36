import { type Broker, type MessageBroker, seamOf, type Subscription } from '../../broker/broker.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { ClosedError } from '../../errors/delivery.errors.js';
import { attachHooks } from '../../events/around-hook.js';
import type { EventChannel } from '../../events/event-channel.js';
import { healthOf, type HealthSnapshot } from '../../events/health-snapshot.js';
import type { HookedListener } from '../../events/hooked-part.js';
import type { LifecycleChanged } from '../../events/messaging-event.js';
import { within } from '../../events/within.js';
import { BatchCollector } from './batch-collector.js';
import { DeadLetterDesk } from './requeue/dead-letter-desk.js';
import { newCounters, type NotificationCounters } from './listener-counters.js';
import { ListenerQueue } from './listener-queue.js';
import { NotificationIntake, type IntakeParts } from './notification-intake.js';
import { resolveListenerOptions, type NotificationListenerOptions } from './notification-listener-options.js';
import { NotificationReader } from './notification-reader.js';
import { entryOf, type NotificationListenerEntry, type NotificationRegistration } from './notification-registration.js';
import { NotificationReports } from './notification-reports.js';
import { planTopology, queuePlans, type QueuePlan } from './queue-plan.js';
import { RequeuePolicy } from './requeue/requeue-policy.js';
import { TurnTaker, type Course } from './turn-taker.js';

/** Most messages of a queue that wait in this process, unless a batch needs more. */
const MOST_HELD = 256;
/** Time for the broker to agree to a goodbye. */
const GOODBYE_MS = 2000;

/** One queue with those who listen to it. */
interface Channel {
  readonly plan: QueuePlan;
  readonly intake: NotificationIntake;
  readonly prefetch: number;
  subscription?: Subscription;
}

/**
 * Listens to notifications, without Nest. Mirrors `oslo_messaging.get_notification_listener`.
 *
 * One consumer per queue, whoever listens to it; a message goes to each listener that takes it and is
 * acknowledged when all have ended.
 *
 * @example
 * ```ts
 * const broker = await connectBroker('rabbit://guest:guest@127.0.0.1:5672/');
 * const listener = new NotificationListener(broker, [
 *   { priorities: ['info'], filter: { eventType: 'compute.*' }, handler: (n) => console.log(n.eventType, n.payload) },
 *   { priorities: ['error'], pool: 'audit', batch: { size: 100 }, handler: (list: readonly IncomingNotification[]) => store(list) },
 * ]);
 * await listener.start();
 * // a notifier, here or in Python, sends; and at the end
 * await listener.close();
 * await broker.close();
 * ```
 *
 * @publicApi
 */
export class NotificationListener {
  /** Everything that this listener reports, and its broker. */
  readonly events: EventChannel;
  private readonly options: ReturnType<typeof resolveListenerOptions>;
  private readonly counted = newCounters();
  private readonly collectors: BatchCollector[] = [];
  private readonly channels: readonly Channel[];
  private readonly broker: MessageBroker;
  private readonly detachHooks: () => void;
  private starting: Promise<void> | undefined;
  private draining: Promise<void> | undefined;

  /** @throws ConfigurationError */
  constructor(
    broker: Broker,
    registrations: readonly NotificationRegistration[],
    options: NotificationListenerOptions = {},
  ) {
    this.broker = seamOf(broker);
    this.options = resolveListenerOptions(options);
    this.events = broker.events.scope();
    const entries = registrations.map((registration, index) => entryOf(registration, index, this.options));
    if (this.broker.kind === 'kafka') requireNoRequeue(entries);
    this.channels = this.channelsOf(entries);
    this.detachHooks = attachHooks(this.options.hooks, this.hookedPart());
    // It was unreadable here, or where it was delivered.
    this.events.watch((event) => {
      if (event.type === 'message-rejected' && this.queues.includes(event.queue)) this.counted.rejected += 1;
    });
  }

  /** The queues that are, or will be, consumed. */
  get queues(): readonly string[] {
    return this.channels.map(({ plan }) => plan.queue);
  }

  get counters(): Readonly<NotificationCounters> {
    return { ...this.counted };
  }

  /** How this listener is right now. */
  get health(): HealthSnapshot {
    const consuming = this.channels.every(({ subscription }) => subscription?.consuming);
    return healthOf(this.broker.state, consuming, this.draining !== undefined);
  }

  /**
   * Declares and consumes; resolves when all queues are consumed. Waits for a broker that is down, at most `giveUpMs`
   * milliseconds where that is given; 0: one attempt. One that has failed may be started again.
   *
   * @throws PreconditionFailed a queue or exchange exists with other properties, or the broker does not support it
   * @throws MessageDeliveryFailure `giveUpMs` passes first
   * @throws ClosedError
   */
  start(giveUpMs?: number): Promise<void> {
    if (this.draining) return Promise.reject(new ClosedError('listener'));
    this.starting ??= this.consume(giveUpMs).catch((error: unknown) => {
      this.starting = undefined;
      throw error;
    });
    return this.starting;
  }

  /**
   * Stops without losing work: no new messages; what has not begun goes back to its queue, what runs ends,
   * batches are handed over as they are. What is not done within `shutdownTimeoutMs` is delivered again, here
   * or elsewhere. Idempotent.
   */
  drain(): Promise<void> {
    this.draining ??= this.stop();
    return this.draining;
  }

  /** The same as `drain`; the broker stays open. */
  close(): Promise<void> {
    return this.drain();
  }

  private hookedPart(): HookedListener {
    const { channels, counted: counters, events, broker: bus } = this;
    return {
      kind: 'listener',
      bus,
      events,
      counters,
      get held() {
        return new Map(channels.map(({ plan, intake }) => [plan.queue, intake.held]));
      },
    };
  }

  private channelsOf(entries: readonly NotificationListenerEntry[]): Channel[] {
    const { counted: counters, options, events } = this;
    const reports = new NotificationReports(events);
    const parts: IntakeParts = {
      reader: new NotificationReader(this.broker.options, options, this.broker.kind),
      policy: new RequeuePolicy(options),
      deadLetters: new DeadLetterDesk(options.onDeadLetter, reports, counters),
      reports,
      counters,
    };
    const batches = new Map(entries.flatMap((entry) => this.batchCourse(entry)));
    return queuePlans(entries).map((plan) => {
      const courses = plan.entries.map((entry) => [entry, batches.get(entry) ?? this.courseOf(entry)] as const);
      const prefetch = this.prefetchOf(plan);
      const intake = new NotificationIntake(plan, new TurnTaker(new Map(courses)), parts, prefetch || Infinity);
      return { plan, intake, prefetch };
    });
  }

  private courseOf(entry: NotificationListenerEntry): Course {
    const { counted: counters, events } = this;
    const { hooks } = this.options;
    return { queue: new ListenerQueue(entry, { events, counters, hooks, bus: this.broker.kind ?? 'rabbitmq' }) };
  }

  /** A batch is collected from all queues of its listener. */
  private batchCourse(entry: NotificationListenerEntry): [NotificationListenerEntry, Course][] {
    if (!entry.batch) return [];
    const { queue } = this.courseOf(entry);
    const limit = this.broker.options.rabbitQosPrefetchCount;
    const size = limit ? Math.min(entry.batch.size, limit) : entry.batch.size;
    const collector = new BatchCollector(size, entry.batch.timeoutMs, (turns) => queue.push(turns));
    this.collectors.push(collector);
    return [[entry, { queue, collector }]];
  }

  private prefetchOf({ entries }: QueuePlan): number {
    const sizes = entries.map(({ batch }) => Math.min(batch?.size ?? 0, 65_535));
    return this.broker.options.rabbitQosPrefetchCount ?? Math.max(MOST_HELD, ...sizes);
  }

  private async consume(giveUpMs: number | undefined): Promise<void> {
    const outcomes = await Promise.allSettled(this.channels.map((channel) => this.consumeOne(channel, giveUpMs)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      await Promise.all(this.channels.map(async ({ subscription }) => subscription?.close()));
      throw failed.reason;
    }
    if (!this.draining) this.reportLifecycle('started', `Listening to ${this.queues.join(', ')}`);
  }

  private async consumeOne(channel: Channel, giveUpMs: number | undefined): Promise<void> {
    const { plan, intake, prefetch } = channel;
    channel.subscription = await this.broker.consume({
      topology: planTopology(plan, this.broker.options),
      queues: [plan.queue],
      pool: plan.isPool ? plan.queue : undefined,
      prefetch,
      giveUpMs,
      onDeliveries: (deliveries) => intake.receive(deliveries),
      onInterrupted: () => intake.interrupted(),
    });
    // Stopped meanwhile, without having been waited for.
    if (this.draining) await channel.subscription.close();
  }

  private async stop(): Promise<void> {
    const endsAt = performance.now() + this.options.shutdownTimeoutMs;
    this.reportLifecycle('draining', `Draining ${this.queues.join(', ')}`);
    // Kafka takes nothing back: what is here is run.
    if (this.broker.kind !== 'kafka') for (const { intake } of this.channels) intake.restrict();
    await within(GOODBYE_MS, this.starting);
    await within(GOODBYE_MS, Promise.all(this.channels.map(async ({ subscription }) => subscription?.cancel())));
    for (const collector of this.collectors) collector.finish();
    await within(endsAt - performance.now(), Promise.all(this.channels.map(({ intake }) => intake.emptied())));
    this.counted.abandoned = this.channels.reduce((sum, { intake }) => sum + intake.held, 0);
    await within(GOODBYE_MS, Promise.all(this.channels.map(async ({ subscription }) => subscription?.close())));
    const { abandoned } = this.counted;
    const fate = this.broker.kind === 'kafka' ? 'they do not come again' : 'they are delivered again';
    const rest = abandoned > 0 ? `; ${abandoned} notifications did not end in time, ${fate}` : '';
    this.reportLifecycle('closed', `No longer listening to ${this.queues.join(', ')}${rest}`);
    this.detachHooks();
    this.events.detach();
  }

  private reportLifecycle(to: LifecycleChanged['to'], message: string): void {
    const level = this.counted.abandoned > 0 ? 'warn' : 'log';
    this.events.emit({ type: 'lifecycle-changed', level, subject: 'listener', to, message });
  }
}

/** @throws ConfigurationError */
function requireNoRequeue(entries: readonly NotificationListenerEntry[]): void {
  const entry = entries.find(({ allowRequeue }) => allowRequeue);
  if (!entry) return;
  throw new ConfigurationError(`${entry.name} has allowRequeue: Kafka takes no notification back, as in Python`, true);
}
