import type { Producer } from '@platformatic/kafka';
import { BrokerRefusal, type LinkMessage, type Receipt, ReplyCode } from '../link.js';
import type { KafkaCluster } from './kafka-cluster.js';
import { hasCode, reasonOf } from './kafka-errors.js';

/** What a broker takes in one request unless it is told otherwise has 48 KiB more. */
const mostBytes = 1_000_000;
/** All in-sync replicas have it. */
const acksOfAll = -1;

/** The way to the cluster. */
export interface ProducerLink {
  readonly cluster: KafkaCluster;
  readonly producer: Producer;
  readonly isOpen: boolean;
  probe(): Promise<void>;
  /** An answer of the cluster is a sign of life. */
  asked<T>(answer: Promise<T>): Promise<T>;
  /** The same for messages. */
  sent<T>(answer: Promise<T>): Promise<T>;
  /** It does not serve any more. */
  fault(error: unknown): void;
}

/** The messages of one request, and the first of them. */
export interface FailedBatch {
  readonly message: LinkMessage;
  readonly receipts: readonly Receipt[];
}

interface Item {
  readonly message: LinkMessage;
  readonly value: Buffer;
  readonly receipt: Receipt;
}

/**
 * The messages of one topic on one channel. One request at a time, so that they stay in order; what comes meanwhile
 * goes with the next.
 */
export class TopicOutbox {
  /** Resolves when no request is on its way. */
  settled: Promise<void> = Promise.resolve();
  private waiting: Item[] = [];
  private state: 'idle' | 'sending' | 'stopped' | 'waiting' = 'idle';
  private timer: NodeJS.Immediate | NodeJS.Timeout | undefined;
  /** Requests so far: each goes to the next partition. */
  private requests = 0;

  constructor(
    private readonly topic: string,
    private readonly link: ProducerLink,
    private readonly onFailed: (error: unknown, batch: FailedBatch) => void,
  ) {}

  push(item: Item): void {
    this.waiting.push(item);
    if (this.state === 'idle') this.wait();
    else if (this.state === 'waiting' && this.waiting.length >= this.batchSize) this.begin();
  }

  /** Nothing more goes out. */
  stop(): void {
    this.state = 'stopped';
    this.stopWaiting();
    this.waiting = [];
  }

  private get batchSize(): number {
    return this.link.cluster.kafka.producerBatchSize;
  }

  /** For others of this turn, or as long as the user wants. */
  private wait(): void {
    this.state = 'waiting';
    const { producerBatchTimeout } = this.link.cluster.kafka;
    if (producerBatchTimeout === 0) this.timer = setImmediate(() => this.begin());
    else this.timer = setTimeout(() => this.begin(), producerBatchTimeout * 1_000);
  }

  private stopWaiting(): void {
    clearImmediate(this.timer as NodeJS.Immediate | undefined);
    clearTimeout(this.timer as NodeJS.Timeout | undefined);
    this.timer = undefined;
  }

  private begin(): void {
    this.stopWaiting();
    this.state = 'sending';
    this.settled = this.sendAll();
  }

  private async sendAll(): Promise<void> {
    while (this.state === 'sending' && this.waiting.length > 0) await this.send(this.nextBatch());
    if (this.state === 'sending') this.state = 'idle';
  }

  private nextBatch(): Item[] {
    let bytes = 0;
    const end = this.waiting.findIndex(({ value }, index) => {
      bytes += value.length;
      return index > 0 && (index >= this.batchSize || bytes > mostBytes);
    });
    return this.waiting.splice(0, end === -1 ? this.waiting.length : end);
  }

  private async send(batch: readonly Item[]): Promise<void> {
    const { cluster, producer } = this.link;
    const { topic } = this;
    // The client takes it modulo the number of partitions.
    const partition = this.requests++;
    const messages = batch.map(({ value }) => ({ topic, value, partition }));
    try {
      const compression = cluster.kafka.compressionCodec;
      await this.link.sent(producer.send({ messages, acks: acksOfAll, compression, autocreateTopics: true }));
    } catch (error) {
      return this.failed(batch, error);
    }
    for (const { receipt } of batch) receipt();
  }

  private async failed(batch: readonly Item[], error: unknown): Promise<void> {
    const [first, ...others] = batch;
    if (!hasCode(error, 'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE')) {
      return this.onFailed(error, { message: first!.message, receipts: batch.map(({ receipt }) => receipt) });
    }
    if (others.length === 0) return this.onFailed(tooLarge(first!, error), { message: first!.message, receipts: [] });
    // Alone each may be small enough.
    for (const item of batch) {
      if (this.state !== 'sending') return;
      await this.send([item]);
    }
  }
}

/** In RabbitMQ's words, by which the engine finds the message. */
function tooLarge({ value }: Item, error: unknown): BrokerRefusal {
  const text = `Kafka refuses it: message size ${value.length} is larger than configured max size ${value.length - 1}`;
  return new BrokerRefusal(ReplyCode.preconditionFailed, `${text} or less (${reasonOf(error)})`, { cause: error });
}
