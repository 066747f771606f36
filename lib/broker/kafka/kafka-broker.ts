import { AsyncLocalStorage } from 'node:async_hooks';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import type { TransportUrl } from '../../config/transport-url.js';
import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { textOf } from '../../errors/text-of.js';
import type { EventChannel } from '../../events/event-channel.js';
import { within } from '../../events/within.js';
import { HeldBudget } from '../bounds/held-messages.js';
import type {
  BrokerState,
  ConsumeRequest,
  InFlightLoads,
  MessageBroker,
  OutgoingMessage,
  QueueInspection,
  Subscription,
} from '../broker.js';
import { Engine } from '../engine/engine.js';
import { GroupMember } from './group-member.js';
import { KafkaCluster, type KafkaClient } from './kafka-cluster.js';
import { KafkaLinks } from './kafka-links.js';
import { TopicSubscription } from './topic-subscription.js';

/** Longest time that leaving the groups takes at the end. */
const goodbyeMs = 3_000;

/**
 * Kafka behind the seam, for notifications. The engine publishes, over a link as any other; consuming is Kafka's own: groups share
 * partitions, and a position is committed instead of each message.
 */
export class KafkaBroker implements MessageBroker {
  readonly kind = 'kafka';
  readonly url: string;
  private readonly cluster: KafkaCluster;
  private readonly engine: Engine;
  private readonly budget: HeldBudget;
  private readonly members = new Set<GroupMember>();
  /** Those that others of this turn may still become a part of. */
  private readonly gathering = new Set<GroupMember>();
  private readonly inOwnContext = AsyncLocalStorage.snapshot();
  private beginning: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** @throws ConfigurationError */
  constructor(
    url: Pick<TransportUrl, 'hosts' | 'masked' | 'virtualHost'>,
    readonly options: ResolvedRabbitOptions,
    connecting: 'at once' | 'when needed' = 'at once',
    load?: () => Promise<KafkaClient>,
  ) {
    this.url = url.masked;
    this.cluster = new KafkaCluster(url, options, load);
    this.budget = new HeldBudget(options.maxHeldBytes);
    const { label: hostname } = this.cluster;
    // The client finds the nodes itself: for the engine they are one.
    const destination = { links: new KafkaLinks(this.cluster), hosts: [{ hostname, port: 0 }], url: url.masked };
    // Without the client there is nothing to try again.
    this.engine = new Engine(destination, options, 'when needed');
    if (connecting === 'at once') this.inOwnContext(() => this.begin());
  }

  get events(): EventChannel {
    return this.engine.events;
  }

  get state(): BrokerState {
    if (this.closing) return 'closed';
    const { state } = this.engine;
    return state === 'connected' && ![...this.members].every(({ consuming }) => consuming) ? 'connecting' : state;
  }

  get lastFailure(): string | undefined {
    return this.engine.lastFailure ?? [...this.members].find(({ lastFailure }) => lastFailure)?.lastFailure;
  }

  get inFlight(): InFlightLoads {
    return this.engine.inFlight;
  }

  async connected(giveUpMs?: number): Promise<void> {
    await this.client();
    await this.engine.connected(giveUpMs);
  }

  async publish(message: OutgoingMessage): Promise<void> {
    await this.client();
    await this.engine.publish(message);
  }

  consume(request: ConsumeRequest): Promise<Subscription> {
    return this.inOwnContext(() => this.join(request));
  }

  close(): Promise<void> {
    this.closing ??= this.inOwnContext(() => this.end());
    return this.closing;
  }

  inspectQueue(): Promise<QueueInspection | undefined> {
    return Promise.resolve(undefined);
  }

  hasExchange(): Promise<boolean> {
    return Promise.resolve(false);
  }

  deleteQueue(queue: string): Promise<void> {
    return Promise.reject(new MessageDeliveryFailure(`Kafka has no queue '${queue}'`));
  }

  /** @throws ConfigurationError @throws ClosedError */
  private async client(): Promise<void> {
    await this.cluster.client();
    if (this.closing) throw new ClosedError('broker');
  }

  /** Connects in the background. */
  private begin(): void {
    this.beginning ??= this.connected().catch((error: unknown) => {
      if (error instanceof ClosedError) return;
      const message = `${this.url} cannot be used: ${textOf(error)}`;
      this.events.emit({ type: 'start-failed', level: 'error', message, error });
    });
  }

  /** Whoever begins to consume in the same turn and group joins as one: each member that comes makes all others share anew. */
  private async join(request: ConsumeRequest): Promise<Subscription> {
    if (this.closing) throw new ClosedError('broker');
    this.begin();
    const { cluster, budget, events, options } = this;
    const subscription = new TopicSubscription(request, {
      topicOf: (routingKey) => cluster.topicOf(routingKey),
      budget,
      events,
      maxMessageBytes: options.maxMessageBytes,
      maxPollRecords: options.kafka.maxPollRecords,
    });
    const groupId = request.pool ?? options.kafka.consumerGroup;
    const member = this.memberFor(groupId, subscription);
    member.add(subscription);
    try {
      await member.consumes(request.giveUpMs);
    } catch (error) {
      // Others of the member may go on waiting.
      void subscription.cancel();
      throw error;
    }
    return subscription;
  }

  private memberFor(groupId: string, subscription: TopicSubscription): GroupMember {
    const known = [...this.gathering].find((one) => one.groupId === groupId && one.takes(subscription));
    if (known) return known;
    const { cluster, events, options } = this;
    const member = new GroupMember(groupId, {
      cluster,
      events,
      backoff: options,
      onClosed: (closed) => void this.members.delete(closed),
    });
    this.members.add(member);
    this.gathering.add(member);
    queueMicrotask(() => {
      this.gathering.delete(member);
      member.start();
    });
    return member;
  }

  private async end(): Promise<void> {
    const left = Promise.all([...this.members].map((member) => member.close()));
    await Promise.all([this.engine.close(), within(goodbyeMs, left)]);
  }
}
