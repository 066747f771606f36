import { addressIn, type AddressText } from './address-text.js';

/** How a message was seen: bound to the exchanges themselves, or told by the broker's own trace. */
export type TapSource = 'binding' | 'firehose';

/**
 * One message that was seen, once when it was published and, by the firehose, once for each delivery: plain data, fit for JSON,
 * without secrets.
 */
export interface TrafficRecord {
  /** When it reached us, in milliseconds since 1970: the wire has no time of its own. */
  readonly t: number;
  readonly ev: 'deliver' | 'publish';
  /** The exchange that it was published to; `''` is the default one, which routes by the queue's name. */
  readonly exchange: string;
  /** The routing key. */
  readonly key: string;
  /** The queue that it was delivered from. */
  readonly queue?: string;
  /** The queues that took it, of a publish that the firehose has told; none: nobody was there. */
  readonly routed?: readonly string[];
  /** The connection that published it, or that it was delivered to, as the management API calls it. */
  readonly conn?: string;
  readonly node?: string;
  readonly user?: string;
  readonly redelivered?: boolean;
  /** Milliseconds that it may live. */
  readonly expirationMs?: number;
  /** Bytes of the body as it was on the wire. */
  readonly size: number;
  /** The message without its envelope, secrets masked; absent where it could not be read. */
  readonly message?: Readonly<Record<string, unknown>>;
  /** Why it could not be read. */
  readonly problem?: string;
}

/** The kinds of messages that oslo.messaging knows; `other`: something else that came by. */
export type TrafficKind = 'call' | 'cast' | 'fanout' | 'notification' | 'other' | 'reply';

const FANOUT_SUFFIX = '_fanout';

export function isFanoutExchange(name: string): boolean {
  return name.endsWith(FANOUT_SUFFIX);
}

export function kindOf({ exchange, message }: Pick<TrafficRecord, 'exchange' | 'message'>): TrafficKind {
  if (message === undefined) return 'other';
  if (typeof message.method === 'string') {
    if (isFanoutExchange(exchange)) return 'fanout';
    return typeof message._msg_id === 'string' && typeof message._reply_q === 'string' ? 'call' : 'cast';
  }
  if (typeof message.event_type === 'string') return 'notification';
  const isReply = typeof message._msg_id === 'string' && ('result' in message || 'failure' in message);
  return isReply ? 'reply' : 'other';
}

/** `conductor` and `host1` of the routing key `conductor.host1`. */
export function addressOf({ exchange, key }: Pick<TrafficRecord, 'exchange' | 'key'>): AddressText {
  if (isFanoutExchange(exchange)) return { topic: exchange.slice(0, -FANOUT_SUFFIX.length) };
  return addressIn(key);
}

/** The id that a request and its deliveries and answers share. */
export function pairingIdOf(message: Readonly<Record<string, unknown>>): string | undefined {
  const { _msg_id: msgId, _unique_id: uniqueId } = message;
  return typeof msgId === 'string' ? msgId : typeof uniqueId === 'string' ? uniqueId : undefined;
}

/** `req-…`, by which logs of all services know what belongs together. */
export function requestIdOf(message: Readonly<Record<string, unknown>>): string | undefined {
  const { _context_request_id: id, _context_global_request_id: global } = message;
  return typeof id === 'string' ? id : typeof global === 'string' ? global : undefined;
}
