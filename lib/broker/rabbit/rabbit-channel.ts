import type { Channel, ConfirmChannel, ConsumeMessage, Message, Options } from 'amqplib';
import type { BindingDeclaration, ExchangeDeclaration, QueueDeclaration } from '../../wire/topology.js';
import type { QueueInspection } from '../broker.js';
import {
  BrokerRefusal,
  type ChannelObserver,
  type LinkChannel,
  type LinkDelivery,
  type LinkMessage,
  type Receipt,
} from '../link.js';
import type { Uploads } from './uploads.js';

const noHeaders = Object.freeze({});

/** One channel of amqplib; `publish` is for those that were opened with confirms. */
export class RabbitChannel implements LinkChannel {
  private refusal: BrokerRefusal | undefined;
  private state: 'closed' | 'open' = 'open';

  constructor(
    private readonly channel: Channel | ConfirmChannel,
    private readonly observer: ChannelObserver,
    private readonly link: { readonly uploads: Uploads },
  ) {
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

  async declareQueue({ name, durable, autoDelete, arguments: values }: QueueDeclaration): Promise<void> {
    await answered(this.channel.assertQueue(name, { durable, autoDelete, arguments: tableOf(values) }));
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

  async consume(queue: string, consumerTag: string): Promise<void> {
    const take = (message: ConsumeMessage | null): void => this.received(consumerTag, message);
    await answered(this.channel.consume(queue, take, { consumerTag, noAck: false }));
  }

  async cancel(consumerTag: string): Promise<void> {
    await answered(this.channel.cancel(consumerTag));
  }

  publish(message: LinkMessage, receipt: Receipt): void {
    const { exchange, routingKey, content, mandatory, expiration } = message;
    const options: Options.Publish = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: noHeaders,
      deliveryMode: 2,
      priority: 0,
      mandatory,
    };
    if (expiration !== undefined) options.expiration = expiration;
    const uploaded = this.link.uploads.begin(content.length);
    const settled = (error: unknown): void => {
      uploaded();
      if (this.state === 'open') receipt(!error);
    };
    try {
      (this.channel as ConfirmChannel).publish(exchange, routingKey, content, options, settled);
    } catch (error) {
      uploaded();
      throw error;
    }
  }

  ack(deliveryTag: number, multiple: boolean): void {
    this.write(() => this.channel.ack(tagged(deliveryTag), multiple));
  }

  reject(deliveryTag: number, requeue: boolean): void {
    this.write(() => this.channel.reject(tagged(deliveryTag), requeue));
  }

  /** amqplib hands frames to the socket in the next turn: what is called in the turn after comes behind them. */
  whenWritten(told: () => void): void {
    process.nextTick(() => setImmediate(told));
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    this.state = 'closed';
    await answered(this.channel.close());
  }

  /** amqplib throws once it is closing, and tells of that later: the broker hears nothing then, and delivers again. */
  private write(frame: () => void): void {
    try {
      frame();
    } catch {
      // Nothing to be done.
    }
  }

  private received(consumerTag: string, message: ConsumeMessage | null): void {
    if (this.state === 'closed') return;
    if (message === null) this.observer.cancelled(consumerTag);
    else this.observer.delivered(deliveryOf(consumerTag, message));
  }

  private returned({ fields: { exchange, routingKey }, content }: Message): void {
    if (this.state === 'open') this.observer.returned({ exchange, routingKey, content });
  }

  private closed(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.observer.channelClosed(this.refusal);
  }
}

function deliveryOf(consumerTag: string, { fields, properties, content }: ConsumeMessage): LinkDelivery {
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
  };
}

/** amqplib wants a whole message, and reads its tag. */
function tagged(deliveryTag: number): ConsumeMessage {
  return { fields: { deliveryTag } } as ConsumeMessage;
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
