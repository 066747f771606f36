import type { Producer } from '@platformatic/kafka';
import type { TransportHost } from '../../config/transport-url.js';
import { within } from '../../events/within.js';
import {
  BrokerRefusal,
  type ChannelObserver,
  type Link,
  type LinkChannel,
  type LinkObserver,
  type LinkProvider,
  type LinkRequest,
  ReplyCode,
} from '../link.js';
import { KafkaChannel } from './kafka-channel.js';
import type { KafkaCluster } from './kafka-cluster.js';
import type { ProducerLink } from './topic-outbox.js';
import { isRefusal, reasonOf } from './kafka-errors.js';

const goodbyeMs = 1_000;

/** Connects to a Kafka cluster, for the engine to publish; the client finds its nodes itself. */
export class KafkaLinks implements LinkProvider {
  readonly mayFallSilent = true;

  constructor(private readonly cluster: KafkaCluster) {}

  labelOf(_host: TransportHost): string {
    return this.cluster.label;
  }

  async open(_host: TransportHost, { signal, onGreeting }: LinkRequest): Promise<Link> {
    const client = await this.cluster.client();
    signal.throwIfAborted();
    const link = new KafkaLink(new client.Producer(this.cluster.clientOptions()), this.cluster);
    const abort = (): void => link.destroy(new Error('the attempt was given up'));
    signal.addEventListener('abort', abort, { once: true });
    try {
      await link.probe();
      onGreeting();
      return link;
    } catch (error) {
      const reason = this.cluster.explained(error);
      link.destroy(new Error(reason));
      if (isRefusal(error)) throw new BrokerRefusal(ReplyCode.accessRefused, reason, { cause: error });
      throw new Error(reason, { cause: error });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

/** A producer, from the first answer of the cluster to the loss of its connections. */
class KafkaLink implements Link, ProducerLink {
  private readonly channels = new Set<KafkaChannel>();
  private state: 'closed' | 'open' = 'open';
  private observer: LinkObserver | undefined;
  private reason: Error | undefined;
  private answers = 0;
  private sending = 0;

  // Not even `inspect` shows the client, which is large and knows how to log in.
  readonly #producer: Producer;

  constructor(
    producer: Producer,
    readonly cluster: KafkaCluster,
  ) {
    this.#producer = producer;
    producer.on('error', (error: Error) => this.fault(error));
    // A broker closes what is idle: the cluster is lost when nobody answers any more.
    producer.on('client:broker:disconnect', () => void this.probe().catch((error: unknown) => this.fault(error)));
  }

  get producer(): Producer {
    return this.#producer;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  get bytesRead(): number {
    return this.answers;
  }

  get signsOfLife(): number {
    return this.answers;
  }

  /** A node answers in order: behind what waits for its replicas comes nothing else. */
  get uploading(): boolean {
    return this.sending > 0;
  }

  attach(observer: LinkObserver): void {
    this.observer = observer;
    if (this.state === 'closed') queueMicrotask(() => observer.linkClosed(this.reason));
  }

  openChannel(observer: ChannelObserver): Promise<LinkChannel> {
    if (this.state === 'closed') return Promise.reject(new Error('the connection is closed'));
    const channel = new KafkaChannel(this, observer, () => void this.channels.delete(channel));
    this.channels.add(channel);
    return Promise.resolve(channel);
  }

  /** Asks who is there. */
  async probe(): Promise<void> {
    if (this.state === 'closed') throw new Error('the connection is closed');
    await this.asked(this.#producer.metadata({ topics: [], forceUpdate: true }));
  }

  /** An answer of the cluster, good or bad, is a sign of life. */
  async asked<T>(answer: Promise<T>): Promise<T> {
    const value = await answer;
    this.answers += 1;
    return value;
  }

  async sent<T>(answer: Promise<T>): Promise<T> {
    this.sending += 1;
    try {
      return await this.asked(answer);
    } finally {
      this.sending -= 1;
    }
  }

  /** The connection does not serve any more. */
  fault(error: unknown): void {
    this.destroy(new Error(reasonOf(error), { cause: error }));
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    await within(goodbyeMs, this.#producer.close());
    this.end(undefined);
  }

  destroy(reason: Error): void {
    if (this.state === 'closed') return;
    this.end(reason);
    // What still waits for an answer has no one to tell it to.
    this.#producer.close().catch(() => undefined);
  }

  private end(reason: Error | undefined): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.reason = reason;
    for (const channel of this.channels) channel.linkClosed();
    this.channels.clear();
    this.observer?.linkClosed(reason);
  }
}
