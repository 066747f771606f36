import type { EventChannel } from '../../events/event-channel.js';
import { type HeldBudget, HeldMessages } from '../bounds/held-messages.js';
import type { ConsumeRequest, Delivery, DeliveryProperties, Subscription } from '../broker.js';

/** A record as it was fetched. */
export interface FetchedRecord {
  readonly offset: bigint;
  readonly value: Buffer;
}

/** Records of a topic that there is room for, by their numbers here. */
export interface Reservation {
  readonly topic: string;
  readonly tagged: ReadonlyMap<number, FetchedRecord>;
}

export interface TopicSubscriptionParts {
  readonly topicOf: (routingKey: string) => string;
  readonly budget: HeldBudget;
  readonly events: EventChannel;
  readonly maxMessageBytes: number;
  readonly maxPollRecords: number;
}

/** The group in which a subscription is a part of a member. */
export interface Membership {
  readonly consuming: boolean;
  /** There is room again. */
  wake(): void;
  /** Resolves when nothing of this subscription is delivered any more. */
  leave(subscription: TopicSubscription): Promise<void>;
}

/** Whatever Kafka carries is taken for JSON, as Python does. */
const PROPERTIES: DeliveryProperties = { contentType: 'application/json', headers: {} };

/**
 * The consumers of one `ConsumeRequest`: a queue is a topic, or a pool with several.
 *
 * As many deliveries are held as the prefetch allows; when that many are, nothing is taken before half of them are settled, as what is
 * taken is committed each time.
 */
export class TopicSubscription implements Subscription {
  readonly queues: readonly string[];
  /** Routing keys by topic. */
  readonly topics: ReadonlyMap<string, string>;
  membership!: Membership;
  private state: 'cancelled' | 'full' | 'open' = 'open';
  private readonly limit: number;
  private readonly holding: HeldMessages;
  private readonly held = new Set<number>();
  private lastTag = 0;

  constructor(
    private readonly request: ConsumeRequest,
    private readonly parts: TopicSubscriptionParts,
  ) {
    const [queue = ''] = request.queues;
    this.queues = [queue];
    this.limit = request.prefetch || Infinity;
    this.holding = new HeldMessages(parts.budget, () => this.membership.wake());
    const bound = request.topology.flatMap((one) =>
      one.kind === 'binding' && one.queue === queue ? [one.routingKey] : [],
    );
    this.topics = new Map(bound.map((routingKey) => [parts.topicOf(routingKey), routingKey]));
  }

  get consuming(): boolean {
    return this.state !== 'cancelled' && this.membership.consuming;
  }

  get hasRoom(): boolean {
    return this.state === 'open' && !this.holding.isFull;
  }

  /** Makes room for the first of these: for as many as there is. */
  reserve(topic: string, records: readonly FetchedRecord[]): Reservation {
    const most = Math.min(records.length, this.limit - this.held.size, this.parts.maxPollRecords);
    const tagged = new Map<number, FetchedRecord>();
    for (const record of records.slice(0, most)) {
      if (this.holding.isTooMuch(record.value.length)) break;
      const tag = ++this.lastTag;
      this.held.add(tag);
      this.holding.hold(tag, record.value.length);
      tagged.set(tag, record);
    }
    if (this.held.size >= this.limit && this.state === 'open') this.state = 'full';
    return { topic, tagged };
  }

  /** They have been committed. */
  deliver({ topic, tagged }: Reservation): void {
    const deliveries = [...tagged].flatMap(([tag, { value }]) => this.deliveryOf(topic, value, tag));
    if (deliveries.length > 0) this.request.onDeliveries(deliveries, this);
  }

  /** They are not ours after all. */
  giveBack({ tagged }: Reservation): void {
    for (const tag of tagged.keys()) this.settle(tag);
  }

  /** Nothing is gathered: all was committed before. */
  flush(written?: (left: boolean) => void): void {
    if (written) queueMicrotask(() => written(true));
  }

  async cancel(): Promise<void> {
    this.state = 'cancelled';
    await this.membership.leave(this);
  }

  close(): Promise<void> {
    return this.cancel();
  }

  private deliveryOf(topic: string, body: Buffer, tag: number): Delivery[] {
    const { maxMessageBytes } = this.parts;
    if (body.length <= maxMessageBytes) return [this.delivery(topic, body, tag)];
    this.settle(tag);
    this.reportRejected(
      `Rejected a message of ${topic}: ${body.length} bytes, more than ${maxMessageBytes} (maxMessageBytes)`,
    );
    return [];
  }

  private delivery(topic: string, body: Buffer, tag: number): Delivery {
    const settle = (): boolean => {
      this.settle(tag);
      return true;
    };
    return {
      queue: this.queues[0]!,
      exchange: '',
      routingKey: this.topics.get(topic)!,
      redelivered: false,
      properties: PROPERTIES,
      body,
      receivedAt: performance.now(),
      release: (weight) => {
        if (this.held.has(tag)) this.holding.hold(tag, weight);
      },
      ack: settle,
      reject: settle,
    };
  }

  /** Of its queue. */
  reportRejected(message: string, error?: unknown): void {
    const [queue = ''] = this.queues;
    this.parts.events.emit({ type: 'message-rejected', level: 'error', message, queue, error });
  }

  private settle(tag: number): void {
    if (!this.held.delete(tag)) return;
    this.holding.drop(tag);
    if (this.state === 'full' && this.held.size <= this.limit / 2) this.state = 'open';
    if (this.state === 'open') this.membership.wake();
  }
}
