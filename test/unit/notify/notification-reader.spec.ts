import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../../lib/broker/broker.js';

import { NotificationReader } from '../../../lib/notify/listener/notification-reader.js';
import { LONGEST_ID } from '../../../lib/wire/recent-ids.js';

/** By what a notification is recognised when it comes again. */
function idOf(message: object): string {
  const delivery: Delivery = {
    queue: 'notifications.info',
    exchange: 'openstack',
    routingKey: 'notifications.info',
    redelivered: false,
    properties: { contentType: 'application/json', headers: {} },
    body: Buffer.from(JSON.stringify({ priority: 'INFO', event_type: 'a', ...message })),
    receivedAt: 0,
    release: () => undefined,
    ack: () => true,
    reject: () => true,
  };
  return new NotificationReader(
    { maxMessageBytes: 1_000_000, maxMessageValues: 1_000_000 },
    { integers: 'exact', serializer: undefined },
  ).read(delivery).id;
}

describe('a notification is recognised by', () => {
  it('the id of its sending, else of its message, else its bytes', () => {
    expect(idOf({ _unique_id: 'u', message_id: 'm' })).toBe('u');
    expect(idOf({ message_id: 'm' })).toBe('m');
    expect(idOf({ payload: 1 })).toBe(idOf({ payload: 1 }));
    expect(idOf({ payload: 1 })).not.toBe(idOf({ payload: 2 }));
  });

  it.each(['_unique_id', 'message_id'])('a %s of any length, at a bounded cost', (key) => {
    const long = 'x'.repeat(100_000);
    expect(idOf({ [key]: long }).length).toBeLessThanOrEqual(LONGEST_ID);
    expect(idOf({ [key]: long, payload: 1 })).toBe(idOf({ [key]: long, payload: 2 }));
    expect(idOf({ [key]: long })).not.toBe(idOf({ [key]: `${long}y` }));
  });
});
