import { AsyncLocalStorage } from 'node:async_hooks';
import type { Channel, ConfirmChannel, ConsumeMessage, Message, Options } from 'amqplib';
import type { InContext } from '../../events/handler-scope.js';
import type { BindingDeclaration, ExchangeDeclaration, QueueDeclaration } from '../../wire/topology.js';
import type { QueueInspection } from '../broker.js';
import {
  BrokerRefusal,
  type ChannelObserver,
  type LinkChannel,
  type LinkDelivery,
  type LinkMessage,
  type Receipt,
  type StreamOffset,
} from '../link.js';
import { compressed, type Compression, decompressed, type Dialect } from './dialect.js';
import { FrameWriter } from './frame-writer.js';
import { SeenDeliveries } from './instrumentation.js';
import type { Uploads } from './uploads.js';

/** The link that a channel is on. */
interface ChannelsLink {
  readonly dialect: Dialect;
  readonly frames: FrameWriter | undefined;
  readonly majorVersion: number | undefined;
  readonly uploads: Uploads;
}

/** RabbitMQ has no mirrored queues from this version on. */
const withoutMirrors = 4;

/** One channel of amqplib; `publish` is for those that were opened with confirms. */
export class RabbitChannel implements LinkChannel {
  /** Undefined: amqplib writes everything itself. */
  private readonly own: ReturnType<typeof FrameWriter.channelOf>;
  /** Where an instrumentation looks at them. */
  private readonly seen: SeenDeliveries | undefined;
  private refusal: BrokerRefusal | undefined;
  private state: 'closed' | 'open' = 'open';

  constructor(
    private readonly channel: Channel | ConfirmChannel,
    private readonly observer: ChannelObserver,
    private readonly link: ChannelsLink,
    isSeen = false,
  ) {
    this.seen = isSeen ? new SeenDeliveries() : undefined;
    this.own = FrameWriter.channelOf(channel);
    channel.on('error', (error) => {
      const refusal = refusalOf(error);
      if (refusal instanceof BrokerRefusal) this.refusal ??= refusal;
    });
    // First of all: amqplib's own listener then fails each unconfirmed message by itself.
    channel.prependListener('close', () => this.closed());
    channel.on('return', (message) => this.returned(message));
  }

  async declareExchange({ name, type, durable, autoDelete }: ExchangeDeclaration): Promise<void> {
    await answered(this.channel.assertExchange(name, type, { durable, autoDelete }));
  }

  async declareQueue(queue: QueueDeclaration): Promise<void> {
    const { name, durable, autoDelete, exclusive = false, arguments: values } = queue;
    const { 'x-ha-policy': policy, ...others } = values;
    const { majorVersion = 0 } = this.link;
    const known = policy !== undefined && majorVersion < withoutMirrors ? values : others;
    await answered(this.channel.assertQueue(name, { durable, autoDelete, exclusive, arguments: tableOf(known) }));
  }

  async bindQueue({ queue, exchange, routingKey }: BindingDeclaration): Promise<void> {
    await answered(this.channel.bindQueue(queue, exchange, routingKey));
  }

  async inspectQueue(queue: string): Promise<QueueInspection> {
    const { messageCount, consumerCount } = await answered(this.channel.checkQueue(queue));
    return { messages: messageCount, consumers: consumerCount };
  }

  async inspectExchange(exchange: string): Promise<void> {
    await answered(this.channel.checkExchange(exchange));
  }

  async deleteQueue(queue: string, condition?: { ifEmpty: boolean }): Promise<void> {
    await answered(this.channel.deleteQueue(queue, condition));
  }

  async prefetch(count: number): Promise<void> {
    await answered(this.channel.prefetch(count, false));
  }

  async consume(queue: string, consumerTag: string, from?: StreamOffset): Promise<void> {
    const take = (message: ConsumeMessage | null): void => this.received(consumerTag, message);
    const values = {
      ...(this.link.dialect.cancelOnFailover && { 'x-cancel-on-ha-failover': true }),
      ...(from !== undefined && { 'x-stream-offset': from }),
    };
    await answered(this.channel.consume(queue, take, { consumerTag, noAck: false, arguments: values }));
  }

  async cancel(consumerTag: string): Promise<void> {
    await answered(this.channel.cancel(consumerTag));
  }

  publish(message: LinkMessage, receipt: Receipt): void {
    const { own, channel } = this;
    const { dialect, frames, uploads } = this.link;
    if (!frames || !own?.unconfirmed) {
      return publishBy(channel as ConfirmChannel, message, dialect.compression, uploads, receipt);
    }
    if (this.state === 'closed') throw new Error('the channel is closed');
    const size = frames.publish(own.ch, message);
    own.unconfirmed.push(uploads.watched(size, receipt));
  }

  ack(deliveryTag: number, multiple: boolean): void {
    const { own } = this;
    const { frames } = this.link;
    if (!frames || !own) this.attempt(() => this.channel.ack(this.message(deliveryTag, multiple), multiple));
    else if (this.state === 'open') frames.ack(own.ch, deliveryTag, multiple);
  }

  reject(deliveryTag: number, requeue: boolean): void {
    const { own } = this;
    const { frames } = this.link;
    if (!frames || !own) this.attempt(() => this.channel.reject(this.message(deliveryTag, false), requeue));
    else if (this.state === 'open') frames.reject(own.ch, deliveryTag, requeue);
  }

  whenWritten(told: () => void): void {
    const { frames } = this.link;
    if (frames && this.own) frames.whenSent(told);
    // amqplib hands frames to the socket in the next turn: what is called in the turn after comes behind them.
    else process.nextTick(() => setImmediate(told));
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.seen?.clear();
    await answered(this.channel.close());
  }

  /** amqplib throws once it is closing, and tells of that later: the broker hears nothing then, and delivers again. */
  private attempt(write: () => void): void {
    try {
      write();
    } catch {
      // Nothing to be done.
    }
  }

  /** amqplib reads its tag, an instrumentation knows the message itself. */
  private message(deliveryTag: number, multiple: boolean): ConsumeMessage {
    return this.seen?.settle(deliveryTag, multiple) ?? ({ fields: { deliveryTag } } as ConsumeMessage);
  }

  private received(consumerTag: string, message: ConsumeMessage | null): void {
    if (this.state === 'closed') return;
    const { observer, seen } = this;
    if (message === null) return observer.cancelled?.(consumerTag);
    if (!seen) return observer.delivered?.(deliveryOf(consumerTag, message));
    const inContext = seen.keep(message);
    seen.outside(() => observer.delivered?.(deliveryOf(consumerTag, message, inContext)));
  }

  private returned({ fields: { exchange, routingKey }, content: written }: Message): void {
    const content = this.link.dialect.compression ? decompressed(written) : written;
    if (this.state === 'open') this.observer.returned?.({ exchange, routingKey, content });
  }

  private closed(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.seen?.clear();
    this.observer.channelClosed(this.refusal);
  }
}

/** Where amqplib is not as we know it, or an instrumentation looks at what it publishes. */
function publishBy(
  channel: ConfirmChannel,
  message: LinkMessage,
  compression: Compression | undefined,
  uploads: Uploads,
  receipt: Receipt,
): void {
  const { exchange, routingKey, body, mandatory, expiration, inContext } = message;
  const options: Options.Publish = {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    // An instrumentation adds to them.
    headers: compression ? { compression } : {},
    deliveryMode: 2,
    priority: 0,
    mandatory,
    ...(expiration !== undefined && { expiration }),
  };
  const content = compression ? compressed(body) : Buffer.from(body);
  const told = uploads.watched(content.length, receipt);
  if (!inContext) return void channel.publish(exchange, routingKey, content, options, told);
  // What its confirm leads to is none of the publisher's any more.
  const toldOutside = AsyncLocalStorage.bind(told);
  inContext(() => channel.publish(exchange, routingKey, content, options, toldOutside));
}

function deliveryOf(
  consumerTag: string,
  { fields, properties, content }: ConsumeMessage,
  inContext?: InContext,
): LinkDelivery {
  const { contentType, contentEncoding, headers = {} } = properties;
  const expiration: unknown = properties.expiration;
  return {
    consumerTag,
    deliveryTag: fields.deliveryTag,
    redelivered: fields.redelivered,
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    content,
    contentType,
    contentEncoding,
    expiration: typeof expiration === 'string' ? expiration : undefined,
    headers,
    inContext,
  };
}

/** Whole numbers as int32, the way Python writes them; amqplib would choose by their size. */
function tableOf(values: Readonly<Record<string, number | string>>): Record<string, unknown> {
  const encoded = Object.entries(values).map(([name, value]) => {
    if (typeof value !== 'number') return [name, value] as const;
    return [name, { '!': value > 0x7fffffff ? 'int64' : 'int32', value }] as const;
  });
  return Object.fromEntries(encoded);
}

async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw refusalOf(error);
  }
}

/** Turns an error of amqplib into the broker's own words; other errors stay as they are. */
export function refusalOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const code = 'code' in error ? error.code : undefined;
  if (typeof code !== 'number') return error;
  const text = /with message "(.*)"$/s.exec(error.message)?.[1] ?? error.message;
  return new BrokerRefusal(code, inOneLine(text), { cause: error });
}

/** RabbitMQ writes several lines where it has much to say. */
export function inOneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}
