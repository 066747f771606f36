import type { Broker } from '../../broker/broker.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import { runAround, type AroundHook } from '../../events/around-hook.js';
import { newUniqueId } from '../../wire/message-id.js';
import { encodeNotification, type Notification, type NotificationFormat } from '../../wire/notification.js';
import { controlExchangeTopology, notificationTopology, type Topology } from '../../wire/topology.js';
import type { NotificationDriver, NotifyLimits } from './notification-driver.js';

/** Where the messaging drivers send to. */
export interface MessagingDriverOptions {
  exchange: string;
  topics: readonly string[];
  declareQueues: boolean;
  hooks: readonly AroundHook[];
}

/**
 * Publishes notifications, once per topic; Python's `messaging` (format 1.0) and `messagingv2` (2.0).
 *
 * As in Python the queue `<topic>.<priority>` is declared and bound, so that nothing is lost while nobody
 * listens; unlike in Python the message is mandatory then, so that what is confirmed is kept.
 */
export class MessagingDriver implements NotificationDriver {
  /** By routing key; the broker declares each once per connection, by its identity. */
  private readonly topologies = new Map<string, Topology>();

  constructor(
    private readonly broker: Broker,
    private readonly format: NotificationFormat,
    private readonly options: MessagingDriverOptions,
  ) {}

  /** @throws MessageDeliveryFailure, MessageUndeliverable, MalformedMessage, MessagingTimeout, ClosedError */
  async notify(notification: Notification, limits: NotifyLimits): Promise<void> {
    const sent = this.options.topics.map((topic) => this.send(topic, notification, limits));
    const outcomes = await Promise.allSettled(sent);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Runs up to the publish at once, so that notifications go out in the order of their calls. */
  private async send(topic: string, notification: Notification, limits: NotifyLimits): Promise<void> {
    const { hooks, exchange } = this.options;
    const uniqueId = newUniqueId();
    if (hooks.length === 0) return this.publish(topic, { ...notification, uniqueId }, limits);
    const context = { ...notification.context };
    const routingKey = routingKeyOf(topic, notification);
    const message = { kind: 'notification' as const, exchange, routingKey, uniqueId, context };
    await runAround(hooks, 'aroundSend', { ...message, method: notification.eventType }, () =>
      this.publish(topic, { ...notification, context, uniqueId }, limits),
    );
  }

  private async publish(
    topic: string,
    notification: Notification & { uniqueId: string },
    limits: NotifyLimits,
  ): Promise<void> {
    const { exchange, declareQueues: mandatory } = this.options;
    const routingKey = routingKeyOf(topic, notification);
    const body = encodeNotification(notification, this.format);
    const topology = this.topologyOf(topic, notification);
    const message = { exchange, routingKey, body, mandatory, ...limits };
    const startedAt = performance.now();
    try {
      await this.broker.publish({ ...message, topology });
    } catch (error) {
      if (!(error instanceof MessageUndeliverable)) throw error;
      // Somebody deleted the queue, or it went with its last consumer: declared anew, once.
      if (this.topologies.get(routingKey) === topology) this.topologies.delete(routingKey);
      const giveUpMs = limits.giveUpMs && Math.max(0, limits.giveUpMs - (performance.now() - startedAt));
      await this.broker.publish({ ...message, giveUpMs, topology: this.topologyOf(topic, notification) });
    }
  }

  private topologyOf(topic: string, { priority }: Notification): Topology {
    const { exchange, declareQueues } = this.options;
    const key = `${topic}.${priority}`;
    let topology = this.topologies.get(key);
    if (!topology) {
      topology = declareQueues
        ? notificationTopology({ exchange, topic, priority }, this.broker.options)
        : controlExchangeTopology(exchange, this.broker.options);
      this.topologies.set(key, topology);
    }
    return topology;
  }
}

function routingKeyOf(topic: string, { priority }: Notification): string {
  return `${topic}.${priority}`;
}
