import type { Delivery, MessageBroker } from '../../broker/broker.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { fanoutExchangeName } from '../../wire/topology.js';
import { BindingSource, bindableKeys, type BindableKey } from './binding-source.js';
import { probeFirehose } from './firehose-probe.js';
import { type LossCounters, QueueLosses } from './queue-losses.js';
import { openTapQueue, TAP_PREFIX } from './tap-queue.js';
import { TRACE_EXCHANGE, TrafficDecoder } from '../traffic/traffic-decoder.js';
import { isFanoutExchange, type TapSource, type TrafficRecord } from '../traffic/traffic-record.js';

/** What is to be seen, and how. */
export interface TapRequest {
  /** `auto`: the firehose where it is on, else bindings. */
  readonly source: TapSource | 'auto';
  /** Control exchanges. */
  readonly exchanges: readonly string[];
  /** Leaves out what goes to other control exchanges; absent: nothing. Answers and fanouts go to exchanges of their own. */
  readonly only?: ReadonlySet<string>;
  /** `conductor`, `conductor.host1`; none: all (firehose only). */
  readonly topics: readonly string[];
  /** `notifications`. */
  readonly notificationTopics: readonly string[];
  /** More messages in a second are counted, and not read. */
  readonly maxRate: number;
  /** 'kept' only where a user has asked for that. */
  readonly secrets: 'kept' | 'masked';
}

/** Told of what a tap sees. */
export interface TapObserver {
  seen(record: TrafficRecord): void;
  /** A message was not read: more came than may be, or the broker may have dropped some. */
  missed?(): void;
  /** A key was bound, or is no longer: its queue has come or gone. */
  bindingChanged?(key: BindableKey, isBound: boolean): void;
}

/** Counts of what went by a tap. */
export interface TapCounters extends LossCounters {
  /** Messages that reached us. */
  readonly received: number;
  /** Of those, not read: more came than `maxRate` allows. */
  readonly skipped: number;
}

/** Watches what passes through a bus, without taking anything from anybody. */
export class BusTap {
  private readonly decoder: TrafficDecoder;
  private readonly losses: QueueLosses;
  private readonly counts = { received: 0, skipped: 0 };
  private readonly ends: (() => Promise<void>)[] = [];
  private queues: () => readonly string[] = () => [];
  private window = { endsAt: 0, left: 0 };

  private constructor(
    private readonly broker: MessageBroker,
    private readonly request: TapRequest,
    private readonly observer: TapObserver,
    readonly source: TapSource,
  ) {
    this.decoder = new TrafficDecoder(broker.options, request.secrets);
    this.losses = new QueueLosses(
      broker,
      () => this.queues(),
      () => observer.missed?.(),
    );
  }

  /**
   * Begins to watch; resolves when it sees what is published from now on.
   *
   * @throws ConfigurationError bindings need topics: what there is to bind cannot be asked over AMQP
   * @throws MessageDeliveryFailure our user may not read what it would take
   */
  static async open(broker: MessageBroker, request: TapRequest, observer: TapObserver): Promise<BusTap> {
    const tap = new BusTap(broker, request, observer, await chosenSource(broker, request.source));
    try {
      await (tap.source === 'firehose' ? tap.openFirehose() : tap.openBindings());
      return tap;
    } catch (error) {
      await tap.close();
      throw error;
    }
  }

  get counters(): TapCounters {
    const { droppedAtLeast, interruptions } = this.losses;
    return { ...this.counts, droppedAtLeast, interruptions };
  }

  async close(): Promise<void> {
    this.losses.close();
    for (const end of this.ends.splice(0)) await end();
  }

  private async openFirehose(): Promise<void> {
    const bindings = firehoseKeys(this.request).map((routingKey) => ({ exchange: TRACE_EXCHANGE, routingKey }));
    const opened = await openTapQueue(this.broker, 'tap', bindings, (deliveries) => this.take(deliveries));
    this.queues = () => [opened.queue];
    this.ends.push(() => opened.close());
  }

  private async openBindings(): Promise<void> {
    const { exchanges, topics, notificationTopics } = this.request;
    const keys = bindableKeys(exchanges, topics, notificationTopics);
    if (keys.length === 0) {
      throw new ConfigurationError(
        'The firehose is off, and bindings need a topic: name one, or switch the firehose on',
      );
    }
    const source = new BindingSource(this.broker, keys, {
      deliveries: (deliveries) => this.take(deliveries),
      bound: (key) => this.observer.bindingChanged?.(key, true),
      unbound: (key) => this.observer.bindingChanged?.(key, false),
    });
    this.queues = () => source.queues;
    this.ends.push(() => source.close());
    await source.start();
  }

  private take(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      if (isOfTap(delivery)) continue;
      this.counts.received += 1;
      this.losses.took(delivery);
      if (this.mayRead()) this.tell(this.decoder.decode(delivery));
      else this.skip();
    }
  }

  private tell(record: TrafficRecord): void {
    const { exchange } = record;
    const { only } = this.request;
    if (!only || only.has(exchange) || exchange === '' || isFanoutExchange(exchange)) this.observer.seen(record);
  }

  private skip(): void {
    this.counts.skipped += 1;
    this.observer.missed?.();
  }

  private mayRead(): boolean {
    const now = performance.now();
    if (now >= this.window.endsAt) this.window = { endsAt: now + 1_000, left: Math.ceil(this.request.maxRate) };
    this.window.left -= 1;
    return this.window.left >= 0;
  }
}

async function chosenSource(broker: MessageBroker, wanted: TapRequest['source']): Promise<TapSource> {
  if (wanted !== 'auto') return wanted;
  return (await probeFirehose(broker)).name === 'on' ? 'firehose' : 'binding';
}

/** The narrowest: what is traced and not asked for costs the broker nothing more. */
function firehoseKeys({ exchanges, topics, notificationTopics }: TapRequest): string[] {
  if (topics.length === 0) return ['publish.#', 'deliver.#'];
  const published = new Set([...exchanges, ...topics.map(fanoutExchangeName), '']);
  // A topic, and its servers; the # stands for nothing, too.
  const delivered = [...topics, ...notificationTopics].map((topic) => `deliver.${topic}.#`);
  return [...[...published].map((exchange) => `publish.${exchange}`), ...delivered];
}

/** Taps see each other's deliveries, and what their probes send. */
function isOfTap({ exchange, routingKey, properties: { headers } }: Delivery): boolean {
  if (exchange !== TRACE_EXCHANGE) return false;
  if (routingKey.startsWith(`deliver.${TAP_PREFIX}`)) return true;
  const keys = headers.routing_keys;
  return headers.exchange_name === '' && Array.isArray(keys) && String(keys[0]).startsWith(TAP_PREFIX);
}
