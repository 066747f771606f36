import { MalformedMessage } from '../errors/wire.errors.js';
import { sealEnvelope } from './envelope.js';
import { stringifyJson } from './json/json.js';
import {
  hasPrototypeContextKey,
  packContext,
  packNestedContext,
  unpackContext,
  unpackNestedContext,
  type RequestContext,
} from './request-context.js';

/**
 * The priorities of notifications, each with a queue of its own per topic.
 *
 * @publicApi
 */
export const NOTIFICATION_PRIORITIES = ['audit', 'debug', 'info', 'warn', 'error', 'critical', 'sample'] as const;

/**
 * One of `NOTIFICATION_PRIORITIES`.
 *
 * @publicApi
 */
export type NotificationPriority = (typeof NOTIFICATION_PRIORITIES)[number];

/**
 * `1.0`: the bare message, Python's driver `messaging`; `2.0`: in the envelope, `messagingv2`; `kafka`: as either is sent
 * there, in the envelope, with the context as an object and without `_unique_id`.
 */
export type NotificationFormat = '1.0' | '2.0' | 'kafka';

/**
 * A notification as a notifier sends it.
 *
 * @publicApi
 */
export interface Notification {
  /** A uuid4 with dashes; the same on every topic and by every driver. */
  messageId: string;
  publisherId: string | null;
  eventType: string;
  priority: NotificationPriority;
  payload: unknown;
  /** UTC, as `timestampOf` writes it. */
  timestamp: string;
  context: RequestContext;
}

/** A notification as a listener received it; absent is what was absent, or null. */
export interface ReceivedNotification {
  messageId?: string;
  publisherId?: string;
  eventType?: string;
  /** In lower case; not always one that we know. */
  priority: string;
  payload: unknown;
  timestamp?: string;
  uniqueId?: string;
  context: RequestContext;
  /** The context as it was sent, where `context` is deserialized. */
  sentContext?: RequestContext;
  /** Why it cannot be dispatched. */
  problem?: MalformedMessage;
}

/**
 * The body of a notification.
 *
 * @throws MalformedMessage what cannot be written as JSON, or a context key `__proto__`
 */
export function encodeNotification(notification: Notification, uniqueId: string, format: NotificationFormat): string {
  const message: Record<string, unknown> = {
    message_id: notification.messageId,
    publisher_id: notification.publisherId,
    event_type: notification.eventType,
    priority: notification.priority.toUpperCase(),
    payload: notification.payload ?? null,
    timestamp: notification.timestamp,
  };
  if (format === 'kafka') {
    packNestedContext(notification.context, message);
  } else {
    message._unique_id = uniqueId;
    packContext(notification.context, message);
  }
  const text = stringifyJson(message);
  return format === '1.0' ? text : sealEnvelope(text);
}

/** Understands an opened notification. Never throws: what is wrong with it is its `problem`. `from`: the bus that it came by. */
export function decodeNotification(message: Readonly<Record<string, unknown>>, from?: 'kafka'): ReceivedNotification {
  const { priority, payload = null } = message;
  const notification: ReceivedNotification = {
    priority: typeof priority === 'string' ? priority.toLowerCase() : '',
    payload,
    context: from === 'kafka' ? unpackNestedContext(message) : unpackContext(message),
  };
  notification.messageId = textIn(message.message_id);
  notification.publisherId = textIn(message.publisher_id);
  notification.eventType = textIn(message.event_type);
  notification.timestamp = textIn(message.timestamp);
  notification.uniqueId = textIn(message._unique_id);
  const problem = problemOf(message);
  if (problem !== undefined) notification.problem = new MalformedMessage(problem);
  return notification;
}

/** Python hands on whatever stands there: a number is taken as its text, anything else as absent. */
function textIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined;
}

/** Only what decides where it goes has to be right. */
function problemOf(message: Readonly<Record<string, unknown>>): string | undefined {
  const { payload, priority } = message;
  if (priority !== undefined && priority !== null && typeof priority !== 'string') {
    return "the notification's priority is not a string";
  }
  if (typeof payload === 'object' && payload !== null && Object.hasOwn(payload, '__proto__')) {
    return "'__proto__' is not allowed as a key of the payload";
  }
  if (hasPrototypeContextKey(message)) return "'__proto__' is not allowed as a key of the context";
  return undefined;
}
