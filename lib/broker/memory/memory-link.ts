import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TransportHost } from '../../config/transport-url.js';
import { requireName } from '../../wire/topology.js';
import type { QueueInspection } from '../broker.js';
import {
  type BrokerRefusal,
  type ChannelObserver,
  type Link,
  type LinkChannel,
  type LinkDelivery,
  type LinkMessage,
  type LinkObserver,
  type LinkProvider,
  type LinkRequest,
  type Receipt,
  type ReturnedMessage,
} from '../link.js';
import type { BindingDeclaration, ExchangeDeclaration, QueueDeclaration } from '../../wire/topology.js';
import { BusConnection, type BusChannel, type ChannelClient, type ConnectionClient } from './bus-connection.js';
import type { MemoryBus } from './memory-bus.js';

/** Opens connections to a bus inside this process. */
export class MemoryLinks implements LinkProvider {
  constructor(
    private readonly bus: MemoryBus,
    private readonly url: string,
  ) {}

  get mayFallSilent(): boolean {
    return this.bus.mayFallSilent;
  }

  labelOf(): string {
    return this.url;
  }

  async open(_host: TransportHost, { signal, onGreeting }: LinkRequest): Promise<Link> {
    await inALaterTurn();
    signal.throwIfAborted();
    if (!this.bus.accepting) throw new Error(`connection refused by ${this.url}`);
    const link = new MemoryLink(this.bus);
    const abort = (): void => link.destroy(new Error('the attempt was given up'));
    signal.addEventListener('abort', abort, { once: true });
    try {
      await link.greeted();
      onGreeting();
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return link;
  }
}

function inALaterTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Questions that wait for an answer of the bus. */
class Questions {
  private readonly waiting = new Set<(error: Error) => void>();

  /** `send` takes what is to be called with the answer. */
  ask<T>(send: (answered: (answer: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.add(reject);
      send((answer) => {
        this.waiting.delete(reject);
        resolve(answer);
      });
    });
  }

  end(error: Error): void {
    for (const reject of this.waiting) reject(error);
    this.waiting.clear();
  }
}

/** The client's end of one connection to the bus. */
class MemoryLink implements Link, ConnectionClient {
  readonly uploading = false;
  private readonly connection: BusConnection;
  private readonly channels = new Set<MemoryLinkChannel>();
  private readonly questions = new Questions();
  private state: 'closed' | 'open' = 'open';
  private reason: Error | undefined;
  private observer: LinkObserver | undefined;
  private frames = 0;

  constructor(bus: MemoryBus) {
    this.connection = new BusConnection(bus, this);
    bus.attach(this.connection);
  }

  get bytesRead(): number {
    return this.frames;
  }

  get signsOfLife(): number {
    return this.frames;
  }

  attach(observer: LinkObserver): void {
    this.observer = observer;
    if (this.state === 'closed') queueMicrotask(() => observer.linkClosed(this.reason));
  }

  /** The first answer of the bus. */
  greeted(): Promise<void> {
    return this.ask(() => undefined);
  }

  async openChannel(observer: ChannelObserver): Promise<LinkChannel> {
    const channel = new MemoryLinkChannel(this, this.connection, observer);
    this.channels.add(channel);
    channel.atBus = await this.ask(() => this.connection.openChannel(channel));
    return channel;
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    await this.ask(() => this.connection.leave());
    this.connection.forget();
    this.end(undefined);
  }

  destroy(reason: Error): void {
    this.connection.clientGone();
    this.end(reason);
  }

  blocked(reason: string): void {
    this.arrived();
    this.observer?.linkBlocked(reason);
  }

  unblocked(): void {
    this.arrived();
    this.observer?.linkUnblocked();
  }

  closed(error: Error | undefined): void {
    this.end(error);
  }

  arrived(): void {
    this.frames += 1;
  }

  forget(channel: MemoryLinkChannel): void {
    this.channels.delete(channel);
  }

  private ask<T>(question: () => T): Promise<T> {
    if (this.state === 'closed') return Promise.reject(new Error('the connection is closed'));
    const { up, down } = this.connection;
    return this.questions.ask((answered) =>
      up.pass(() => {
        const answer = question();
        down.pass(() => {
          this.arrived();
          answered(answer);
        });
      }),
    );
  }

  private end(error: Error | undefined): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    for (const channel of this.channels) channel.channelClosed(undefined);
    this.questions.end(error ?? new Error('the connection is closed'));
    this.reason = error;
    this.observer?.linkClosed(error);
  }
}

/** The client's end of one channel. */
class MemoryLinkChannel implements LinkChannel, ChannelClient {
  /** Its other end, once the bus has opened it. */
  atBus!: BusChannel;
  private readonly questions = new Questions();
  private readonly receipts = new Map<number, Receipt>();
  private readonly consumers = new Set<string>();
  private published = 0;
  private state: 'closed' | 'open' = 'open';

  constructor(
    private readonly link: MemoryLink,
    private readonly connection: BusConnection,
    private readonly observer: ChannelObserver,
  ) {}

  declareExchange(exchange: ExchangeDeclaration): Promise<void> {
    return this.ask(() => this.connection.bus.declareExchange(exchange));
  }

  declareQueue(queue: QueueDeclaration): Promise<void> {
    return this.ask(() => this.connection.bus.declareQueue(queue, this.connection));
  }

  bindQueue(binding: BindingDeclaration): Promise<void> {
    return this.ask(() => this.connection.bus.bind(binding, this.connection));
  }

  inspectQueue(queue: string): Promise<QueueInspection> {
    return this.ask(() => this.connection.bus.inspect(queue, this.connection));
  }

  inspectExchange(exchange: string): Promise<void> {
    return this.ask(() => void this.connection.bus.requireExchange(exchange));
  }

  deleteQueue(queue: string, condition?: { ifEmpty: boolean }): Promise<void> {
    return this.ask(() => this.connection.bus.deleteQueue(queue, condition, this.connection));
  }

  prefetch(count: number): Promise<void> {
    return this.ask((channel) => channel.prefetch(count));
  }

  async consume(queue: string, consumerTag: string): Promise<void> {
    // Deliveries may arrive before the answer.
    this.hold(consumerTag);
    await this.ask((channel) => channel.consume(queue, consumerTag));
  }

  async cancel(consumerTag: string): Promise<void> {
    await this.ask((channel) => channel.cancel(consumerTag));
    this.letGo(consumerTag);
  }

  publish(message: LinkMessage, receipt: Receipt): void {
    if (this.state === 'closed') throw new Error('the channel is closed');
    requireName('exchange', message.exchange);
    requireName('routing key', message.routingKey);
    const sequence = ++this.published;
    this.receipts.set(sequence, receipt);
    this.send((channel) => channel.publish(message, sequence));
  }

  ack(deliveryTag: number, multiple: boolean): void {
    this.send((channel) => channel.ack(deliveryTag, multiple));
  }

  reject(deliveryTag: number, requeue: boolean): void {
    this.send((channel) => channel.reject(deliveryTag, requeue));
  }

  whenWritten(told: () => void): void {
    queueMicrotask(told);
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    await this.ask((channel) => channel.leave());
    this.end(new Error('the channel is closed'));
  }

  delivered(delivery: LinkDelivery): void {
    if (this.isOpen()) this.observer.delivered?.(delivery);
  }

  cancelled(consumerTag: string): void {
    this.letGo(consumerTag);
    if (this.isOpen()) this.observer.cancelled?.(consumerTag);
  }

  returned(message: ReturnedMessage): void {
    if (this.isOpen()) this.observer.returned?.(message);
  }

  settled(sequence: number, taken: boolean): void {
    const receipt = this.receipts.get(sequence);
    this.receipts.delete(sequence);
    if (!this.isOpen()) return;
    receipt?.(taken ? null : new Error('the broker has not taken it'));
  }

  channelClosed(refusal: BrokerRefusal | undefined): void {
    if (!this.isOpen()) return;
    this.end(refusal ?? new Error('the connection was lost'));
    this.observer.channelClosed(refusal);
  }

  /** Something has arrived; on a channel that was closed here meanwhile it concerns nobody. */
  private isOpen(): boolean {
    this.link.arrived();
    return this.state === 'open';
  }

  private end(error: Error): void {
    this.state = 'closed';
    this.receipts.clear();
    for (const tag of this.consumers) this.letGo(tag);
    this.link.forget(this);
    this.questions.end(error);
  }

  private ask<T>(question: (channel: BusChannel) => T): Promise<T> {
    if (this.state === 'closed') return Promise.reject(new Error('the channel is closed'));
    return this.questions.ask((answered) =>
      this.send((channel) => {
        const answer = question(channel);
        channel.tell(() => {
          this.link.arrived();
          answered(answer);
        }, 'pass');
      }),
    );
  }

  private send(action: (channel: BusChannel) => 'unread' | void): void {
    if (this.state === 'closed') return;
    this.connection.up.pass(() => this.atBus.receive(() => action(this.atBus)));
  }

  /** A consumer keeps the process running. */
  private hold(consumerTag: string): void {
    if (this.consumers.has(consumerTag)) return;
    this.consumers.add(consumerTag);
    processHold.acquire();
  }

  private letGo(consumerTag: string): void {
    if (this.consumers.delete(consumerTag)) processHold.release();
  }
}

/** Keeps the process running while anybody holds it, as an open socket does, with nothing that a fake clock would see. */
class ProcessHold {
  private holders = 0;
  private port: MessagePort | undefined;

  acquire(): void {
    this.holders += 1;
    if (this.port) return;
    this.port = new MessageChannel().port1;
    this.port.ref();
  }

  release(): void {
    this.holders -= 1;
    if (this.holders > 0) return;
    this.port?.close();
    this.port = undefined;
  }
}

const processHold = new ProcessHold();
