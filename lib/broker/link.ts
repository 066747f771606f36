import type { TransportHost } from '../config/transport-url.js';
import type { InContext } from '../events/handler-scope.js';
import type { QueueInspection } from './broker.js';
import type { BindingDeclaration, ExchangeDeclaration, QueueDeclaration } from '../wire/topology.js';

/**
 * The seam below the engine: AMQP's verbs, answers and faults, and nothing of how they travel.
 *
 * `rabbit/` is amqplib behind it, `memory/` RabbitMQ's rules inside this process. The engine knows neither.
 * Nothing is told from inside a verb: callbacks and answers come in a later turn.
 */
export interface LinkProvider {
  /** True when a connection may end without a word, as over a network; then the engine watches for it. */
  readonly mayFallSilent: boolean;
  /** True where an instrumentation may look at the context in which each message is written. */
  readonly looksAtContext?: boolean;
  /** A host for people: without credentials. */
  labelOf(host: TransportHost): string;
  /**
   * One attempt to connect, handshake included. Aborting `signal` ends it at any moment. Whoever awaits it attaches an
   * observer in the same turn.
   *
   * @throws BrokerRefusal the broker says why it does not want us; any other error: it could not be reached
   */
  open(host: TransportHost, request: LinkRequest): Promise<Link>;
  /** For people, where the bus has such. */
  readonly virtualHost?: string;
}

export interface LinkRequest {
  /** As the broker shows it to people. */
  connectionName: string;
  signal: AbortSignal;
  /** The host speaks. */
  onGreeting(): void;
}

export interface LinkObserver {
  /** The end, told once. Absent error: it was closed in order. */
  linkClosed(error: Error | undefined): void;
  /** The broker has stopped reading what is published here. */
  linkBlocked(reason: string): void;
  linkUnblocked(): void;
}

/** One connection to one node of the broker, from the finished handshake to its end. */
export interface Link {
  /** The name that the bus behind it gives itself: of RabbitMQ that of its cluster. Absent where it tells none. */
  readonly clusterName?: string | undefined;
  /** Bytes that have arrived so far. */
  readonly bytesRead: number;
  /** Grows with each sign that the broker lives: whole frames, and large parts of one. */
  readonly signsOfLife: number;
  /** A large message still leaves: until it is through no answer can come on a slow connection. */
  readonly uploading: boolean;
  /** Sets the observer of everything from now on, and of an end that came before. */
  attach(observer: LinkObserver): void;
  /** `confirms`: each message published on it is confirmed. */
  openChannel(observer: ChannelObserver, options?: { confirms: boolean }): Promise<LinkChannel>;
  /** Says good-bye, and waits for the broker's. */
  close(): Promise<void>;
  /** Ends it without a good-bye: its observer is told at once, its channels at the latest soon after. */
  destroy(reason: Error): void;
}

/**
 * One channel. Each verb that has an answer rejects with `BrokerRefusal` where the broker refuses, which closes the channel;
 * with another error when the channel has ended otherwise.
 */
export interface LinkChannel {
  declareExchange(exchange: ExchangeDeclaration): Promise<void>;
  declareQueue(queue: QueueDeclaration): Promise<void>;
  bindQueue(binding: BindingDeclaration): Promise<void>;
  /** @throws BrokerRefusal 404 */
  inspectQueue(queue: string): Promise<QueueInspection>;
  /** @throws BrokerRefusal 404 */
  inspectExchange(exchange: string): Promise<void>;
  deleteQueue(queue: string, condition?: { ifEmpty: boolean }): Promise<void>;
  /** Unacknowledged deliveries per consumer; 0: without limit. */
  prefetch(count: number): Promise<void>;
  /** `from`: where to begin in a stream. */
  consume(queue: string, consumerTag: string, from?: StreamOffset): Promise<void>;
  cancel(consumerTag: string): Promise<void>;
  /** @throws Error at once: a name that cannot be written, or a channel that is closing */
  publish(message: LinkMessage, receipt: Receipt): void;
  /** Has no effect on a channel that is closing. */
  ack(deliveryTag: number, multiple: boolean): void;
  /** Has no effect on a channel that is closing. */
  reject(deliveryTag: number, requeue: boolean): void;
  /** Calls back when what was given to the channel so far has left this process. */
  whenWritten(told: () => void): void;
  close(): Promise<void>;
}

/** The message to begin with: the last ones that came in, or the one of that number. */
export type StreamOffset = number | 'last';

/** Told of what the broker does by itself. After `channelClosed` nothing comes. */
export interface ChannelObserver {
  delivered?(delivery: LinkDelivery): void;
  /** The broker has cancelled a consumer: its queue is gone, or fails over. */
  cancelled?(consumerTag: string): void;
  /** No queue has taken a mandatory message; its confirm follows. */
  returned?(message: ReturnedMessage): void;
  /** Ended, and not by us. `refusal`: the broker closed it and says why; else its connection is gone. */
  channelClosed(refusal: BrokerRefusal | undefined): void;
}

/** Told once: nothing when the broker has taken charge of a published message, or why not. Means nothing once the channel has ended. */
export type Receipt = (refusal?: unknown) => void;

export interface LinkMessage {
  /** `''` is the default exchange, which routes by queue name. */
  readonly exchange: string;
  readonly routingKey: string;
  /** The JSON text, written as UTF-8. */
  readonly body: string;
  readonly mandatory: boolean;
  /** Milliseconds, as AMQP writes them. */
  readonly expiration: string | undefined;
  /** That of whoever publishes it, where an instrumentation may look at it. */
  readonly inContext?: InContext | undefined;
}

export interface ReturnedMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
}

export interface LinkDelivery {
  readonly consumerTag: string;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly expiration: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  /** The one that an instrumentation has made for it. */
  readonly inContext?: InContext | undefined;
}

/** AMQP reply codes that decide what is done next. */
export const ReplyCode = {
  connectionForced: 320,
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
  notAllowed: 530,
  notImplemented: 540,
  internalError: 541,
} as const;

/** The broker has refused something, and closed the channel or the connection for it. */
export class BrokerRefusal extends Error {
  override readonly name = 'BrokerRefusal';

  constructor(
    /** AMQP's reply code. */
    readonly code: number,
    /** The broker's own words. */
    readonly text: string,
    options?: ErrorOptions,
  ) {
    super(text, options);
  }

  /** Asking again does not help: the user lacks a permission. */
  get isFinal(): boolean {
    return this.code === ReplyCode.accessRefused && this.text.includes('refused for user');
  }
}
