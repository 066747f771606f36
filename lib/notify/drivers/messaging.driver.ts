import type { MessageBroker } from '../../broker/broker.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import { isUnconfirmed } from '../../errors/oslo-messaging.error.js';
import { runAround, type AroundHook, type HookedMessage } from '../../events/around-hook.js';
import { newUniqueId } from '../../wire/message-id.js';
import {
  encodeNotification,
  type Notification,
  type NotificationFormat,
  type NotificationPriority,
} from '../../wire/notification.js';
import { controlExchangeTopology, notificationTopology, type Topology } from '../../wire/topology.js';
import { started } from '../../events/started.js';
import type { NotificationDriver, NotifyLimits } from './notification-driver.js';

/** The destination of the messaging drivers. */
export interface MessagingDriverOptions {
  exchange: string;
  topics: readonly string[];
  declareQueues: boolean;
  hooks: readonly AroundHook[];
}

/** One queue that a notification goes to. */
interface NotificationAddress {
  readonly topic: string;
  readonly priority: NotificationPriority;
  readonly routingKey: string;
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

  private readonly format: NotificationFormat;

  constructor(
    private readonly broker: MessageBroker,
    format: NotificationFormat,
    private readonly options: MessagingDriverOptions,
  ) {
    this.format = broker.kind ?? format;
  }

  /** @throws MessageDeliveryFailure, MessageUndeliverable, MalformedMessage, MessagingTimeout, ClosedError */
  notify(notification: Notification, limits: NotifyLimits): Promise<void> {
    const { topics } = this.options;
    if (topics.length === 1) return this.send(topics[0]!, notification, limits);
    return allSent(topics.map((topic) => started(() => this.send(topic, notification, limits))));
  }

  /**
   * Runs up to the publish at once, so that notifications go out in the order of their calls. While it waits
   * only the body is kept: notifications may wait for long, and be many.
   */
  private send(topic: string, notification: Notification, limits: NotifyLimits): Promise<void> {
    const { hooks } = this.options;
    const { priority } = notification;
    const uniqueId = newUniqueId();
    const routingKey = `${topic}.${priority}`;
    const address = { topic, priority, routingKey };
    if (hooks.length === 0)
      return this.publish(address, encodeNotification(notification, uniqueId, this.format), limits);
    const context = { ...notification.context };
    const body = encodedOnce({ ...notification, context }, uniqueId, this.format);
    const publish = (): Promise<void> => started(() => this.publish(address, body(), limits));
    return runAround(hooks, 'aroundSend', this.hooked(address, notification, uniqueId, context), publish);
  }

  private hooked(
    { topic, priority, routingKey }: NotificationAddress,
    { eventType, publisherId, messageId }: Notification,
    uniqueId: string,
    context: Record<string, unknown>,
  ): HookedMessage {
    const { exchange } = this.options;
    return {
      kind: 'notification',
      bus: this.broker.kind ?? 'rabbitmq',
      exchange,
      routingKey,
      target: { exchange, topic },
      method: eventType,
      uniqueId,
      eventType,
      priority,
      publisherId: publisherId ?? undefined,
      messageId,
      context,
    };
  }

  private publish(address: NotificationAddress, body: string, limits: NotifyLimits): Promise<void> {
    const topology = this.topologyOf(address);
    const startedAt = performance.now();
    return this.published(address, body, limits, topology).catch((error: unknown) => {
      if (!(error instanceof MessageUndeliverable)) throw error;
      // Somebody deleted the queue, or it went with its last consumer: declared anew, once.
      const { routingKey } = address;
      if (this.topologies.get(routingKey) === topology) this.topologies.delete(routingKey);
      const giveUpMs = limits.giveUpMs && Math.max(0, limits.giveUpMs - (performance.now() - startedAt));
      return this.published(address, body, { ...limits, giveUpMs }, this.topologyOf(address));
    });
  }

  private published(
    { routingKey }: NotificationAddress,
    body: string,
    { retry, giveUpMs }: NotifyLimits,
    topology: Topology,
  ): Promise<void> {
    const { exchange, declareQueues: mandatory } = this.options;
    const purpose = 'notification';
    return this.broker.publish({ exchange, routingKey, body, mandatory, purpose, retry, giveUpMs, topology });
  }

  private topologyOf({ topic, priority, routingKey: key }: NotificationAddress): Topology {
    const { exchange, declareQueues } = this.options;
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

/** Encodes when it is first asked, for hooks add to the context until then, and keeps the text alone. */
function encodedOnce(notification: Notification, uniqueId: string, format: NotificationFormat): () => string {
  let unencoded: Notification | undefined = notification;
  let body = '';
  return () => {
    if (unencoded) body = encodeNotification(unencoded, uniqueId, format);
    unencoded = undefined;
    return body;
  };
}

async function allSent(sent: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(sent);
  const errors = outcomes.flatMap((outcome): unknown[] => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (errors.length > 0) throw errors.find(isUnconfirmed) ?? errors[0];
}
