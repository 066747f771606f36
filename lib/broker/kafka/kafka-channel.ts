import { pause } from '../../events/pause.js';
import type { QueueDeclaration } from '../../wire/topology.js';
import type { QueueInspection } from '../broker.js';
import {
  BrokerRefusal,
  type ChannelObserver,
  type LinkChannel,
  type LinkMessage,
  type Receipt,
  ReplyCode,
} from '../link.js';
import { isPassing, isRefusal, isTransportFault, isUnknownTopic, reasonOf } from './kafka-errors.js';
import { type FailedBatch, type ProducerLink, TopicOutbox } from './topic-outbox.js';

/** A new topic is there sooner; as long is not waited for an answer. */
const shareForTopics = 0.8;
const askAgainMs = 100;

/** Publishes on a link, in AMQP's words: a queue is a topic, which is made when it is declared; there are no exchanges. */
export class KafkaChannel implements LinkChannel {
  private readonly outboxes = new Map<string, TopicOutbox>();
  private state: 'closed' | 'ending' | 'open' = 'open';

  constructor(
    private readonly link: ProducerLink,
    private readonly observer: ChannelObserver,
    private readonly onEnded: () => void,
  ) {}

  async declareExchange(): Promise<void> {}

  async bindQueue(): Promise<void> {}

  async declareQueue({ name }: QueueDeclaration): Promise<void> {
    const topic = this.link.cluster.topicOf(name);
    try {
      await this.topicMade(topic);
    } catch (error) {
      if (isTransportFault(error)) this.link.fault(error);
      if (!isRefusal(error) && !isUnknownTopic(error)) throw new Error(reasonOf(error), { cause: error });
      const why = isUnknownTopic(error) ? 'there is none, and the cluster makes none by itself' : reasonOf(error);
      const refusal = new BrokerRefusal(ReplyCode.accessRefused, `Kafka refuses the topic '${topic}': ${why}`, {
        cause: error,
      });
      this.end(refusal);
      throw refusal;
    }
  }

  /** Asked for what changes nothing. */
  async prefetch(): Promise<void> {
    await this.link.probe();
  }

  publish(message: LinkMessage, receipt: Receipt): void {
    if (this.state === 'closed') throw new Error('the channel is closed');
    const topic = this.link.cluster.topicOf(message.routingKey);
    let outbox = this.outboxes.get(topic);
    if (!outbox) {
      outbox = new TopicOutbox(topic, this.link, (error, batch) => this.failed(error, batch));
      this.outboxes.set(topic, outbox);
    }
    outbox.push({ message, value: Buffer.from(message.body), receipt });
  }

  whenWritten(told: () => void): void {
    queueMicrotask(told);
  }

  async close(): Promise<void> {
    this.state = 'closed';
    this.onEnded();
  }

  linkClosed(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.stop();
    this.observer.channelClosed(undefined);
  }

  // ---- verbs that the engine does not use where nobody consumes

  inspectQueue(): Promise<QueueInspection> {
    return unknownHere();
  }

  inspectExchange(): Promise<void> {
    return unknownHere();
  }

  deleteQueue(): Promise<void> {
    return unknownHere();
  }

  consume(): Promise<void> {
    return unknownHere();
  }

  cancel(): Promise<void> {
    return unknownHere();
  }

  ack(): void {}

  reject(): void {}

  /** Python's producer lets the cluster make topics as well. */
  private async topicMade(topic: string): Promise<void> {
    const { cluster, producer } = this.link;
    const giveUpAt = performance.now() + cluster.livenessTimeoutMs * shareForTopics;
    for (;;) {
      try {
        await this.link.asked(producer.metadata({ topics: [topic], autocreateTopics: true }));
        return;
      } catch (error) {
        if (!isPassing(error) || performance.now() > giveUpAt || !this.link.isOpen) throw error;
        await pause(askAgainMs);
      }
    }
  }

  private failed(error: unknown, { message, receipts }: FailedBatch): void {
    if (this.state === 'closed') return;
    if (isTransportFault(error)) return this.link.fault(error);
    if (error instanceof BrokerRefusal) return void this.refused(error);
    if (!isRefusal(error)) return receipts.forEach((receipt) => receipt(error));
    const { exchange, routingKey } = message;
    // Its topic and exchange tell the engine which messages are meant.
    const text = `Kafka refuses topic '${routingKey}' (exchange '${exchange}'): ${reasonOf(error)}`;
    void this.refused(new BrokerRefusal(ReplyCode.accessRefused, text, { cause: error }));
  }

  /** What is on its way to other topics arrives first, so that it need not go twice. */
  private async refused(refusal: BrokerRefusal): Promise<void> {
    if (this.state !== 'open') return;
    this.state = 'ending';
    this.stop();
    await Promise.all([...this.outboxes.values()].map((outbox) => outbox.settled));
    this.end(refusal);
  }

  private stop(): void {
    for (const outbox of this.outboxes.values()) outbox.stop();
  }

  private end(refusal: BrokerRefusal): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.onEnded();
    this.observer.channelClosed(refusal);
  }
}

function unknownHere(): Promise<never> {
  return Promise.reject(new Error('there is nothing like it in Kafka'));
}
