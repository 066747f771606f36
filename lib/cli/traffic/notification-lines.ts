import type { ReceivedNotification } from '../../wire/notification.js';
import { isRecord } from '../../wire/json/is-record.js';
import { stringifyJson } from '../../wire/json/json.js';
import { parseTimestamp } from '../../wire/notification-timestamp.js';
import {
  plainVersioned,
  unwrapVersioned,
  VersionedObject,
  type VersionedObjectHead,
} from '../../wire/versioned-object.js';
import { type Line, toneOfPriority } from '../tone.js';
import { clock } from './traffic-lines.js';
import { valueAt } from './where.js';

/** A notification as `listen` shows and filters it. */
export interface SeenNotification {
  readonly event_type: string;
  readonly publisher_id: string;
  readonly priority: string;
  readonly message_id: string | null;
  readonly timestamp: string | null;
  readonly context: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
  /** Of a payload that was unwrapped. */
  readonly object?: Pick<VersionedObjectHead, 'name' | 'namespace' | 'version'>;
}

/** The names that a path of `--where` may begin with. */
export const NOTIFICATION_ROOTS = [
  'payload',
  'context',
  'event_type',
  'publisher_id',
  'priority',
  'message_id',
  'timestamp',
] as const;

const LONGEST_PAYLOAD = 120;
const SHORT_ID = 12;

/** `unwrapped`: versioned objects are replaced by their data. */
export function seenNotification(received: ReceivedNotification, payloads: 'raw' | 'unwrapped'): SeenNotification {
  const { eventType, publisherId, priority, messageId, timestamp, context, payload } = received;
  const seen = {
    event_type: eventType ?? '',
    publisher_id: publisherId ?? '',
    priority,
    message_id: messageId ?? null,
    timestamp: timestamp ?? null,
    context,
  };
  if (payloads === 'raw') return { ...seen, payload };
  const object = unwrapVersioned(payload);
  if (!(object instanceof VersionedObject)) return { ...seen, payload: plainVersioned(payload) };
  const { name, namespace, version } = object;
  return { ...seen, payload: plainVersioned(object), object: { name, namespace, version } };
}

/** The parts of a payload that were asked for, under their paths. */
export function fieldsOf(payload: unknown, paths: readonly (readonly string[])[]): Record<string, unknown> {
  return Object.fromEntries(paths.map((path) => [path.join('.'), valueAt(payload, path) ?? null]));
}

/** One line for people; `payload`: what is shown of it. The time is the publisher's, where it can be understood. */
export function notificationLine(seen: SeenNotification, payload: unknown, length = LONGEST_PAYLOAD): Line {
  const { event_type: eventType, publisher_id: publisher, priority, timestamp, context } = seen;
  const sentAt = (timestamp === null ? undefined : parseTimestamp(timestamp)) ?? new Date();
  const requestId = typeof context.request_id === 'string' ? context.request_id : '';
  const text = isRecord(payload)
    ? Object.entries(payload)
        .map(([key, value]) => `${key}=${shortText(value)}`)
        .join(' ')
    : stringifyJson(payload);
  const time = `${clock(sentAt.getTime())}  `;
  const word = priority.toUpperCase();
  const cells = [
    ' '.repeat(Math.max(0, 8 - word.length)),
    eventType.padEnd(32),
    publisher.padEnd(16),
    requestId.slice(0, SHORT_ID).padEnd(SHORT_ID),
    text.length <= length ? text : `${text.slice(0, length)}…`,
  ];
  const after = cells.join('  ').trimEnd();
  const tone = toneOfPriority(priority);
  return tone === undefined ? `${time}${word}${after}` : { before: time, word, tone, after };
}

/** The same as data. */
export function notificationData(
  { event_type: eventType, publisher_id: publisherId, message_id: messageId, ...seen }: SeenNotification,
  payload: unknown,
  origin: { readonly queue: string; readonly routingKey: string; readonly redelivered: boolean },
): object {
  const { queue, routingKey, redelivered } = origin;
  const at = new Date().toISOString();
  return {
    event: 'notification',
    at,
    queue,
    routingKey,
    redelivered,
    eventType,
    publisherId,
    messageId,
    ...seen,
    payload,
  };
}

/** A word as it is, all else as JSON. */
function shortText(value: unknown): string {
  return typeof value === 'string' && /^[\w:./@+-]+$/.test(value) ? value : stringifyJson(value);
}
