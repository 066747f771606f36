/**
 * How much attention an event deserves; Nest's logger levels.
 *
 * @publicApi
 */
export type EventLevel = 'debug' | 'error' | 'log' | 'warn';

interface EventBase {
  level: EventLevel;
  /** One line for people, secrets masked. */
  message: string;
  error?: unknown;
}

/** The request that an event is about. */
export interface RequestFacts {
  method: string;
  namespace?: string;
  /** As it was asked for. */
  version?: string;
  /** `request_id` of its context. */
  requestId?: string;
}

/** A connection of a broker went from one state to another. @publicApi */
export interface ConnectionChanged extends EventBase {
  type: 'connection-changed';
  connection: 'consume' | 'publish';
  from: ConnectionPhase;
  to: ConnectionPhase;
  /** `host:port`. */
  host?: string;
  /** Of RabbitMQ. */
  virtualHost?: string;
}

/** The phase of a connection; `blocked`: the broker has stopped reading what is published. @publicApi */
export type ConnectionPhase = 'blocked' | 'closed' | 'connected' | 'connecting' | 'disconnected';

/** Consumers were lost on a healthy connection (queue deleted, failover, channel error), or are back. @publicApi */
export interface ConsumersChanged extends EventBase {
  type: 'consumers-lost' | 'consumers-restored';
  queues: readonly string[];
}

/**
 * An exchange or queue was to be durable (`amqpDurableQueues`) and exists as not durable: what is in it does not
 * outlive the broker.
 *
 * @publicApi
 */
export interface DurabilityMismatch extends EventBase {
  type: 'durability-mismatch';
  kind: 'exchange' | 'queue';
  name: string;
}

/**
 * Our own process was held up for more than half of the heartbeat: much longer, and the broker takes it for dead.
 *
 * @publicApi
 */
export interface EventLoopBlocked extends EventBase {
  type: 'event-loop-blocked';
  /** At least so long. */
  blockedMs: number;
  heartbeatSeconds: number;
}

/**
 * A message was published again because its confirm was lost with its connection; a request may run twice.
 *
 * @publicApi
 */
export interface MessageRepublished extends EventBase {
  type: 'message-republished';
  exchange: string;
  routingKey: string;
}

/**
 * A request was given up by us, and rejects: no queue took it, though one had taken such requests before.
 *
 * @publicApi
 */
export interface MessageUnrouted extends EventBase {
  type: 'message-unrouted';
  exchange: string;
  routingKey: string;
}

/** Sending failed; reported whether or not anybody awaits the promise. @publicApi */
export interface SendFailed extends EventBase, Partial<RequestFacts> {
  type: 'send-failed';
  kind: 'cast' | 'fanout' | 'notification';
  target: string;
}

/** An acknowledgement could not be written: its channel is gone, the message will be delivered again. @publicApi */
export interface AckLost extends EventBase {
  type: 'ack-lost';
  queue: string;
}

/** A received message could not be understood and was rejected, or a part of it was refused. @publicApi */
export interface MessageRejected extends EventBase {
  type: 'message-rejected';
  queue: string;
}

/** A request was acknowledged, but not run. @publicApi */
export interface RequestDropped extends EventBase, RequestFacts {
  type: 'request-dropped';
  reason: 'drained' | 'duplicate' | 'expired';
  msgId?: string;
  uniqueId?: string;
}

/** A handler failed; `expected` where it declared the exception, or where the caller is told anyway. @publicApi */
export interface HandlerFailed extends EventBase, RequestFacts {
  type: 'handler-failed';
  expected: boolean;
  isCall: boolean;
}

/**
 * An answer could not be handed over: no reply queue until the caller had given up, or not writable as JSON.
 *
 * @publicApi
 */
export interface ReplyDropped extends EventBase, RequestFacts {
  type: 'reply-dropped';
  replyQueue: string;
  msgId: string;
}

/** A reply came for a call that is not waiting (any more). @publicApi */
export interface ReplyUnmatched extends EventBase {
  type: 'reply-unmatched';
  /** `late`: the call had ended before; `unknown`: never one of ours. */
  reason: 'late' | 'unknown';
  msgId: string;
  /** The call that it belonged to, where that is known. */
  method?: string;
  target?: string;
  /** Milliseconds since the call ended, for late ones. */
  lateByMs?: number;
}

/** An error class was lost on its way to the caller; says how to keep it. @publicApi */
export interface ErrorClassLost extends EventBase {
  type: 'error-class-lost';
}

/** A notification was acknowledged, though not every listener has done its work, or none wanted it. @publicApi */
export interface NotificationDropped extends EventBase {
  type: 'notification-dropped';
  /** `failed`: a listener failed or asked for a requeue, and is not allowed one. */
  reason: 'duplicate' | 'failed' | 'unmatched';
  queue: string;
  eventType?: string;
  messageId?: string;
}

/** A notification went back to its queue, because a listener failed or asked for it. @publicApi */
export interface NotificationRequeued extends EventBase {
  type: 'notification-requeued';
  queue: string;
  eventType?: string;
  messageId?: string;
  /** How often it went back from this process. */
  attempts: number;
}

/**
 * The listeners of a queue are slower than what comes: it grows at the broker meanwhile; or they have caught up.
 *
 * @publicApi
 */
export interface ListenersBehind extends EventBase {
  type: 'listeners-behind';
  queue: string;
  behind: boolean;
  /** Notifications that wait in this process. */
  held: number;
  /** For whom they wait. */
  listeners: readonly string[];
}

/**
 * All handler slots of a server have been taken for 10 seconds at a stretch: its handlers hang, or are too slow for what
 * comes; or one is free again.
 *
 * @publicApi
 */
export interface ServerSaturated extends EventBase {
  type: 'server-saturated';
  saturated: boolean;
  /** Of the server, `executorThreadPoolSize`. */
  slots: number;
  /** Requests that wait in this process. */
  waiting: number;
  /** Of the handlers that run, some names, those that have run the longest first. */
  methods: readonly string[];
}

/** A notification has been requeued often enough: it went to the `onDeadLetter` hook, or was dropped. @publicApi */
export interface NotificationDeadLettered extends EventBase {
  type: 'notification-dead-lettered';
  /** True when the hook has taken it. */
  taken: boolean;
  queue: string;
  eventType?: string;
  messageId?: string;
  attempts: number;
}

/** A server that starts in the background cannot serve; it stays as it is. @publicApi */
export interface StartFailed extends EventBase {
  type: 'start-failed';
}

/**
 * Somebody else holds our reply queue exclusively: calls from now on have their answers sent to another one. Calls that
 * were sent before get none.
 *
 * @publicApi
 */
export interface ReplyQueueReplaced extends EventBase {
  type: 'reply-queue-replaced';
  queue: string;
  /** The one before. */
  replaced: string;
}

/**
 * Some hosts of the transport URL have a user name and password and others have none. RabbitMQ's are logged in to as `guest`
 * then: credentials are not inherited from another host. Kafka's share those of the first that has some. Mirrors the
 * warning of oslo.messaging.
 *
 * @publicApi
 */
export interface CredentialsMissing extends EventBase {
  type: 'credentials-missing';
  /** Hosts without credentials. */
  hosts: readonly string[];
}

/** The server, client or listener started, is draining, or has ended. @publicApi */
export interface LifecycleChanged extends EventBase {
  type: 'lifecycle-changed';
  subject: 'client' | 'listener' | 'server';
  to: 'closed' | 'draining' | 'started';
}

/**
 * Everything that is reported, as values; `type` tells them apart.
 *
 * @publicApi
 */
export type MessagingEvent =
  | AckLost
  | ConnectionChanged
  | ConsumersChanged
  | CredentialsMissing
  | DurabilityMismatch
  | ErrorClassLost
  | EventLoopBlocked
  | HandlerFailed
  | LifecycleChanged
  | ListenersBehind
  | MessageRejected
  | MessageRepublished
  | MessageUnrouted
  | NotificationDeadLettered
  | NotificationDropped
  | NotificationRequeued
  | ReplyDropped
  | ReplyQueueReplaced
  | ReplyUnmatched
  | RequestDropped
  | SendFailed
  | ServerSaturated
  | StartFailed;
