import type { TrafficRecord } from '../../lib/observe/traffic/traffic-record.js';

/** What is said of a record; the rest is as a firehose would tell it. */
interface Said extends Partial<Omit<TrafficRecord, 'message'>> {
  id?: string;
  requestId?: string;
  message?: Record<string, unknown>;
}

/** A request that was published. */
export function request(said: Said & { kind?: 'call' | 'cast' | 'fanout' } = {}): TrafficRecord {
  const { id = 'm1', requestId = 'req-1', kind = 'call', message, ...record } = said;
  return {
    t: 1_000,
    ev: 'publish',
    exchange: 'nova',
    key: 'conductor',
    routed: ['conductor'],
    size: 1,
    ...record,
    message: {
      method: 'ping',
      args: {},
      _unique_id: kind === 'call' ? `u-${id}` : id,
      ...(kind === 'call' && { _msg_id: id, _reply_q: 'reply_1' }),
      _context_request_id: requestId,
      ...message,
    },
  };
}

/** The same when a server gets it. */
export function delivery({ queue = 'conductor', ...said }: Parameters<typeof request>[0] & object): TrafficRecord {
  const { routed: _, ...record } = request(said);
  return { ...record, ev: 'deliver', queue, redelivered: false, conn: 'server' };
}

/** The answer to a call. */
export function answer({ id = 'm1', message, ...record }: Said = {}): TrafficRecord {
  return {
    t: 1_001,
    ev: 'publish',
    exchange: '',
    key: 'reply_1',
    routed: ['reply_1'],
    size: 1,
    ...record,
    message: { _msg_id: id, _unique_id: `r-${id}`, result: null, failure: null, ending: true, ...message },
  };
}

export function notification({ requestId = 'req-1', message, ...record }: Said = {}): TrafficRecord {
  return {
    t: 1_000,
    ev: 'publish',
    exchange: 'nova',
    key: 'notifications.info',
    routed: ['notifications.info'],
    size: 1,
    ...record,
    message: {
      event_type: 'compute.instance.create.end',
      publisher_id: 'compute.host1',
      priority: 'INFO',
      payload: { id: 'i1' },
      message_id: '11111111-1111-4111-8111-111111111111',
      timestamp: '2026-01-01 00:00:00.000000',
      _unique_id: 'n1',
      _context_request_id: requestId,
      ...message,
    },
  };
}
