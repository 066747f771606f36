import { InvalidTarget } from '../errors/configuration.errors.js';
import { newUniqueId } from './message-id.js';
import { shown } from './shown.js';

/** AMQP writes the length of a name in one byte. */
const LONGEST_NAME_BYTES = 255;

/**
 * An exchange as oslo.messaging declares it.
 *
 * @publicApi
 */
export interface ExchangeDeclaration {
  readonly kind: 'exchange';
  readonly name: string;
  readonly type: 'direct' | 'fanout' | 'topic';
  readonly durable: boolean;
  readonly autoDelete: boolean;
}

/**
 * A queue as oslo.messaging declares it.
 *
 * @publicApi
 */
export interface QueueDeclaration {
  readonly kind: 'queue';
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** Of the connection that declares it: nobody else may use it, and it goes with that. None of oslo.messaging's is. */
  readonly exclusive?: boolean;
  readonly arguments: Readonly<Record<string, number | string>>;
}

/**
 * From an exchange to a queue.
 *
 * @publicApi
 */
export interface BindingDeclaration {
  readonly kind: 'binding';
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
}

/**
 * One step of a topology; `kind` tells them apart.
 *
 * @publicApi
 */
export type Declaration = BindingDeclaration | ExchangeDeclaration | QueueDeclaration;

/**
 * The objects that have to exist before a message can be published or consumed, in the order of declaration.
 *
 * @publicApi
 */
export type Topology = readonly Declaration[];

/** The options that decide how exchanges and queues are declared; all peers of a bus must agree on them. */
export interface TopologyOptions {
  readonly amqpDurableQueues: boolean;
  readonly amqpAutoDelete: boolean;
  readonly rabbitQuorumQueue: boolean;
  readonly rabbitTransientQuorumQueue: boolean;
  /** Seconds; 0: off. */
  readonly rabbitTransientQueuesTtl: number;
  readonly rabbitQuorumDeliveryLimit: number;
  readonly rabbitQuorumMaxMemoryLength: number;
  readonly rabbitQuorumMaxMemoryBytes: number;
  readonly rabbitHaQueues: boolean;
  readonly rabbitStreamFanout: boolean;
  readonly legacyReplyExchange: boolean;
}

/**
 * A name that cannot be written must not reach amqplib: it throws after the channel has begun to wait for the
 * answer, and whatever comes next on that channel waits for ever.
 *
 * @throws InvalidTarget
 */
export function requireNames(declaration: Declaration): void {
  if (declaration.kind !== 'binding') return requireName(declaration.kind, declaration.name);
  requireName('queue', declaration.queue);
  requireName('exchange', declaration.exchange);
  requireName('routing key', declaration.routingKey);
}

/** @throws InvalidTarget */
export function requireName(what: string, name: unknown): void {
  if (typeof name !== 'string') throw new InvalidTarget(`The name of a ${what} must be a string, not ${typeof name}`);
  // No character has more than three bytes per unit of a string.
  if (name.length * 3 <= LONGEST_NAME_BYTES) return;
  const { byteLength } = new TextEncoder().encode(name);
  if (byteLength <= LONGEST_NAME_BYTES) return;
  throw new InvalidTarget(
    `The name of the ${what} '${shown(name, 60)}…' has ${byteLength} bytes; AMQP allows ${LONGEST_NAME_BYTES}`,
  );
}

/** Shared by all servers of a topic; not scoped by the exchange. */
export function topicQueueName(topic: string): string {
  return topic;
}

export function serverQueueName(topic: string, server: string): string {
  return `${topic}.${server}`;
}

export function fanoutExchangeName(topic: string): string {
  return `${topic}_fanout`;
}

/** One server's own queue for fanout casts, new at each start. */
export function newFanoutQueueName(topic: string): string {
  return `${topic}_fanout_${newUniqueId()}`;
}

/** One transport's own queue for replies. */
export function newReplyQueueName(): string {
  return `reply_${newUniqueId()}`;
}

/** The same, under a name that the next start of the process uses again. */
export function stableFanoutQueueName(topic: string, unique: string): string {
  return `${topic}_fanout_${unique}`;
}

/** The same. */
export function replyQueueName(unique: string): string {
  return `reply_${unique}`;
}

/** The one stream of a topic's fanout casts, which all of its servers read. */
export function streamName(topic: string): string {
  return `${topic}_fanout`;
}

/** The objects that have to exist before a call, a cast or a notification is published. */
export function controlExchangeTopology(exchange: string, options: TopologyOptions): Topology {
  return [controlExchange(exchange, options)];
}

/** The objects that have to exist before a fanout cast is published. */
export function fanoutExchangeTopology(topic: string, options: TopologyOptions): Topology {
  return [fanoutExchange(topic, options)];
}

export interface RpcServerAddress {
  readonly exchange: string;
  readonly topic: string;
  readonly server: string;
  readonly fanoutQueue: string;
}

/** The queues of a server: its topic's queue, its own, and its fanout queue. */
export function rpcServerTopology(address: RpcServerAddress, options: TopologyOptions): Topology {
  const { exchange, topic, server, fanoutQueue } = address;
  return [
    ...boundSharedQueue(exchange, topicQueueName(topic), options),
    ...boundSharedQueue(exchange, serverQueueName(topic, server), options),
    fanoutExchange(topic, options),
    options.rabbitStreamFanout ? stream(fanoutQueue, options) : transientQueue(fanoutQueue, options),
    { kind: 'binding', queue: fanoutQueue, exchange: fanoutExchangeName(topic), routingKey: topic },
  ];
}

/** A client's queue for replies, reached through the default exchange; by old servers through one of its own name. */
export function replyQueueTopology(queue: string, options: TopologyOptions): Topology {
  if (!options.legacyReplyExchange) return [transientQueue(queue, options)];
  return [
    { kind: 'exchange', name: queue, type: 'direct', durable: false, autoDelete: true },
    transientQueue(queue, options),
    { kind: 'binding', queue, exchange: queue, routingKey: queue },
  ];
}

export interface NotificationAddress {
  readonly exchange: string;
  readonly topic: string;
  /** In any case; lower in the queue's name. */
  readonly priority: string;
}

/** The queue of one topic and priority, declared by its publishers too, so that nothing is lost without a listener. */
export function notificationTopology(address: NotificationAddress, options: TopologyOptions): Topology {
  return boundSharedQueue(address.exchange, `${address.topic}.${address.priority.toLowerCase()}`, options);
}

/** A queue that peers declare too, bound under its own name. */
function boundSharedQueue(exchange: string, queue: string, options: TopologyOptions): Topology {
  return [
    controlExchange(exchange, options),
    sharedQueue(queue, options),
    { kind: 'binding', queue, exchange, routingKey: queue },
  ];
}

function controlExchange(name: string, options: TopologyOptions): ExchangeDeclaration {
  return { kind: 'exchange', name, type: 'topic', durable: isDurable(options), autoDelete: options.amqpAutoDelete };
}

/** Durable or not, it goes with its last binding. */
function fanoutExchange(topic: string, options: TopologyOptions): ExchangeDeclaration {
  const durable = options.rabbitTransientQuorumQueue;
  return { kind: 'exchange', name: fanoutExchangeName(topic), type: 'fanout', durable, autoDelete: true };
}

function sharedQueue(name: string, options: TopologyOptions): QueueDeclaration {
  return {
    kind: 'queue',
    name,
    durable: isDurable(options),
    autoDelete: options.amqpAutoDelete,
    arguments: kindArguments(options.rabbitQuorumQueue, options),
  };
}

/** A queue of one process, which outlives it only by its time to live. */
function transientQueue(name: string, options: TopologyOptions): QueueDeclaration {
  const kind = kindArguments(options.rabbitTransientQuorumQueue, options);
  const ttl = options.rabbitTransientQueuesTtl;
  return {
    kind: 'queue',
    name,
    durable: options.rabbitTransientQuorumQueue,
    autoDelete: false,
    arguments: ttl > 0 ? { ...kind, 'x-expires': ttl * 1000 } : kind,
  };
}

function stream(name: string, { rabbitTransientQueuesTtl: ttl }: TopologyOptions): QueueDeclaration {
  const type = { 'x-queue-type': 'stream' };
  const values: Record<string, string> = ttl > 0 ? { ...type, 'x-max-age': `${ttl}s` } : type;
  return { kind: 'queue', name, durable: true, autoDelete: false, arguments: values };
}

function kindArguments(isQuorum: boolean, options: TopologyOptions): Record<string, number | string> {
  if (!isQuorum) return options.rabbitHaQueues ? { 'x-ha-policy': 'all' } : {};
  const limits = [
    ['x-delivery-limit', options.rabbitQuorumDeliveryLimit],
    ['x-max-in-memory-length', options.rabbitQuorumMaxMemoryLength],
    ['x-max-in-memory-bytes', options.rabbitQuorumMaxMemoryBytes],
  ] as const;
  return { 'x-queue-type': 'quorum', ...Object.fromEntries(limits.filter(([, limit]) => limit > 0)) };
}

function isDurable(options: TopologyOptions): boolean {
  return options.amqpDurableQueues || options.rabbitQuorumQueue;
}
