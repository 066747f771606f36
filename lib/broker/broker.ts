import type { ResolvedRabbitOptions } from '../config/rabbit-options.js';
import { KAFKA_HAS_NO_RPC } from '../config/transport-url.js';
import { ConfigurationError } from '../errors/configuration.errors.js';
import type { EventChannel } from '../events/event-channel.js';
import type { InContext } from '../events/handler-scope.js';
import type { Topology } from '../wire/topology.js';

/**
 * A connection to a message bus, for clients, servers, notifiers and listeners to share.
 *
 * @publicApi
 */
export interface Broker {
  /** The transport URL, passwords masked. */
  readonly url: string;
  /** Connection changes, blocked state, cancelled consumers, lost confirms. */
  readonly events: EventChannel;
  readonly state: BrokerState;
  /** Why the connection was lost or the last attempt to connect failed, with the host; absent while there is one. */
  readonly lastFailure?: string | undefined;

  /**
   * Resolves when the bus is reachable for the first time; at once if it already was.
   * Connecting goes on in the background in any case. `giveUpMs` bounds the waiting.
   *
   * @throws MessageDeliveryFailure when `giveUpMs` passes first (0: after the first failed attempt)
   * @throws ClosedError when the broker is closed meanwhile
   */
  connected(giveUpMs?: number): Promise<void>;

  /**
   * Ends everything. While the connection is up, all messages that were accepted before go out first, for 5 s at most; the
   * rest rejects with `ClosedError`. Unacknowledged deliveries go back. Idempotent.
   */
  close(): Promise<void>;
}

/**
 * The seam between oslo.messaging's rules and a message bus, shaped like AMQP.
 *
 * `rpc/` and `notify/` know a bus only through it; RabbitMQ and the embedded `memory://` bus behave alike behind it.
 */
export interface MessageBroker extends Broker {
  readonly options: ResolvedRabbitOptions;
  /** The name that the bus gives itself, whatever the hosts' names are; absent without a connection, or where it tells none. */
  readonly clusterName?: string | undefined;
  /** What `maxInFlightMessages` and `maxInFlightBytes` bound, as it is right now. */
  readonly inFlight: InFlightLoads;
  /**
   * A bus that is not like AMQP. Kafka carries notifications alone, in a form of their own, and each delivery is settled before it is
   * handed over: nothing goes back. Queues are topics there, and a pool is a group.
   */
  readonly kind?: 'kafka';

  /**
   * Sends one message; resolves when the broker has confirmed it.
   *
   * While the connection is down the message is kept, as long as `retry`, `giveUpMs` and the bound of
   * messages in flight allow.
   *
   * @throws MessageUndeliverable a mandatory message that was returned, or one whose queue was awaited in vain
   * @throws MessageDeliveryFailure tries exhausted, refused, or too many in flight
   * @throws MessagingTimeout `giveUpMs` or `expirationMs` passed before it was confirmed
   * @throws PreconditionFailed its topology exists with other properties
   * @throws ClosedError
   */
  publish(message: OutgoingMessage): Promise<void>;

  /**
   * Declares a topology and consumes its queues, now and again after each interruption, with the
   * same names and consumer tags. Resolves when all queues are consumed for the first time.
   *
   * Consumers that the bus has forgotten without a word are noticed too: every `consumerCheckIntervalMs`
   * the queues are looked at, and those that are gone or have no consumer are consumed again.
   *
   * @throws PreconditionFailed an object exists with other properties, or the bus does not support it
   * @throws MessageDeliveryFailure refused, or `giveUpMs` passes first
   * @throws ClosedError
   */
  consume(request: ConsumeRequest): Promise<Subscription>;

  /**
   * Looks at a queue without touching it; `undefined` if there is none.
   *
   * @throws MessageDeliveryFailure without a connection, at once
   * @throws ClosedError
   */
  inspectQueue(queue: string): Promise<QueueInspection | undefined>;

  /**
   * Looks whether there is an exchange of that name.
   *
   * @throws MessageDeliveryFailure without a connection, at once
   * @throws ClosedError
   */
  hasExchange(exchange: string): Promise<boolean>;

  /**
   * Deletes a queue of our own; a queue that is gone already is fine.
   *
   * @throws MessageDeliveryFailure without a connection, at once
   * @throws ClosedError
   */
  deleteQueue(queue: string): Promise<void>;
}

/** The same for RPC. @throws ConfigurationError the bus carries notifications alone */
export function rpcSeamOf(broker: Broker): MessageBroker {
  const seam = seamOf(broker);
  if (seam.kind === 'kafka') throw new ConfigurationError(KAFKA_HAS_NO_RPC);
  return seam;
}

/** The seam of a broker that this library has made. @throws ConfigurationError it was made by somebody else */
export function seamOf(broker: Broker): MessageBroker {
  const seam = broker as Partial<MessageBroker>;
  if (typeof seam?.publish === 'function' && typeof seam.consume === 'function') return seam as MessageBroker;
  throw new ConfigurationError('A broker is made by connectBroker() or createBroker()');
}

/**
 * `blocked`: connected, but the broker has stopped reading what is published (memory or disk alarm).
 *
 * @publicApi
 */
export type BrokerState = 'blocked' | 'closed' | 'connected' | 'connecting';

/**
 * Why a message is sent. Requests and notifications each have a budget of their own (`maxInFlightMessages`,
 * `maxInFlightBytes`), so that neither starves the other; `owed`, answers and heartbeats, has none: it is never
 * refused for what the application sends, and who owes it bounds it.
 */
export type MessagePurpose = 'notification' | 'owed' | 'request';

/** Messages without an outcome yet, and the bytes that are held for them. */
export type InFlightLoads = Readonly<
  Record<Exclude<MessagePurpose, 'owed'>, { readonly messages: number; readonly bytes: number }>
>;

/**
 * One message to be sent, and how long that may be tried.
 */
export interface OutgoingMessage {
  /** `''` is the default exchange, which routes by queue name. */
  exchange: string;
  routingKey: string;
  /** The JSON text. */
  body: string;
  /** Returned (`MessageUndeliverable`) when no queue takes it. */
  mandatory?: boolean;
  /**
   * Tried again for a while when no queue takes it, as its consumer may be on its way back; then rejects. An answer
   * (`owed`) waits up to `kombuMissingConsumerRetryTimeout`; anything else up to its deadline, or 5 s, and only
   * where a queue has taken such messages before: elsewhere it is dropped, and resolves.
   */
  awaitQueue?: boolean;
  /**
   * Declared once per connection before the first message that names it. Compared by identity:
   * keep and reuse the object.
   */
  topology?: Topology;
  /**
   * Milliseconds the message may live from this call on. Written as the AMQP property `expiration`
   * (less the time that it had to wait here); not sent at all once it has passed.
   */
  expirationMs?: number;
  /** Tries after the first; -1 or absent: without limit. A try is a connection attempt, a lost confirm or a nack. */
  retry?: number;
  /** Milliseconds from this call on after which the promise rejects and the message is given up. */
  giveUpMs?: number;
  /** Whose budget it counts against. @defaultValue 'request' */
  purpose?: MessagePurpose;
  /** Who waits for what comes of it: once that has ended the message goes out no more, and resolves. */
  owner?: MessageOwner;
}

/**
 * The one that waits for what comes of a message, as a call waits for its answer.
 */
export interface MessageOwner {
  /** It waits no more. */
  readonly ended: boolean;
  /** True when the broker had a queue for the message; told each time that is known. */
  routed(isRouted: boolean): void;
}

/**
 * Queues to consume, and the callbacks for their deliveries.
 */
export interface ConsumeRequest {
  /** In the order in which it is declared. */
  topology: Topology;
  /** Consumed in this order, with the consumer tags `'1'`, `'2'`, … */
  queues: readonly string[];
  /**
   * Those of the queues that nobody else ever consumes, and whose messages are worth nothing later: a second consumer there
   * is what a lost connection left behind, and is ended with the queue, which is declared anew.
   */
  own?: readonly string[];
  /** The pool that the queue is for. */
  pool?: string | undefined;
  /** Unacknowledged deliveries per queue; 0: without limit (no `basic.qos` is sent). */
  prefetch: number;
  /**
   * Milliseconds in which all queues must be consumed for the first time; 0: at the first attempt. Absent: as long as it
   * takes, unless the bus refuses it.
   */
  giveUpMs?: number;
  /**
   * Each delivery is settled as soon as it is handed over, so that what others hold (`maxHeldBytes`) holds nothing up here;
   * acks may wait for others.
   */
  settledAtOnce?: boolean;
  /** Called once per tick with what arrived in it, in order; from the first on, before `consume` has resolved. Must not throw. */
  onDeliveries(deliveries: readonly Delivery[], subscription: Subscription): void;
  /** The bus has refused the queues for some seconds, as somebody else holds them: told while that lasts. */
  onRefused?(reason: string): void;
  /**
   * All deliveries not yet acknowledged are no longer ours: the channel they came by is gone, and the
   * broker delivers them again (here or elsewhere) as `redelivered`.
   */
  onInterrupted?(): void;
}

/**
 * The consumers of one `ConsumeRequest`, on one channel.
 */
export interface Subscription {
  readonly queues: readonly string[];
  /** True when every queue is being consumed right now. */
  readonly consuming: boolean;
  /**
   * Writes the acknowledgements gathered so far, in one frame where possible. Without a call
   * they are written at the end of the tick. `written` is called when they have left this process; with false,
   * when their channel ended before: the broker has not heard of them, and delivers again.
   */
  flush(written?: (left: boolean) => void): void;
  /** Stops new deliveries; those that are here can still be acknowledged. Resolves when the broker has agreed. */
  cancel(): Promise<void>;
  /** Cancels, writes gathered acknowledgements, gives back what is not acknowledged. Idempotent. */
  close(): Promise<void>;
}

/**
 * One message as it came, to be acknowledged or rejected once.
 */
export interface Delivery {
  /** The queue it was consumed from. */
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly properties: DeliveryProperties;
  /** The bytes as they came. Parse at once and keep nothing of them: they may be a view into a larger buffer. */
  readonly body: Uint8Array;
  /** The body has been read: its bytes are given up, and about `weight` bytes are held in their place until it is settled. */
  release(weight: number): void;
  /** Milliseconds, on the clock of `performance.now()`. */
  readonly receivedAt: number;
  /** The asynchronous context that an instrumentation of the bus has made for it; absent without one. */
  readonly inContext?: InContext | undefined;
  /** Gathered; see `Subscription.flush`. False: too late, the channel is gone and the message will come again. */
  ack(): boolean;
  /** `requeue`: back to its queue; otherwise dropped. Written at once, in order with gathered acks. False as for `ack`. */
  reject(requeue: boolean): boolean;
}

/**
 * The AMQP properties that a receiver goes by.
 */
export interface DeliveryProperties {
  contentType?: string;
  contentEncoding?: string;
  /** Milliseconds, if it had a valid one. */
  expirationMs?: number;
  headers: Readonly<Record<string, unknown>>;
}

/**
 * The state of a queue, as a passive declaration shows it.
 */
export interface QueueInspection {
  /** Ready for delivery. */
  messages: number;
  consumers: number;
}
