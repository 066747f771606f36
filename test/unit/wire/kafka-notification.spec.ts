import { describe, expect, it } from 'vitest';
import { openEnvelope } from '../../../lib/wire/envelope.js';
import { decodeNotification, encodeNotification, type Notification } from '../../../lib/wire/notification.js';
import { readGolden } from '../../golden/read-golden.js';

const golden = readGolden('kafka_notification.18.3.1.json') as Record<'messaging' | 'messagingv2', string>;
const OPEN = { maxBytes: 100_000, integers: 'exact', contentType: 'application/json' } as const;
const open = (text: string): Record<string, unknown> => openEnvelope(new TextEncoder().encode(text), OPEN);

describe.each(['messaging', 'messagingv2'] as const)("Python's driver %s over Kafka", (driver) => {
  const captured = golden[driver];
  const received = decodeNotification(open(captured), 'kafka');

  it('is understood', () => {
    expect(received).toEqual({
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
      publisherId: 'compute.host1',
      eventType: 'compute.instance.create.end',
      priority: 'info',
      payload: { instance_id: 'i-1', n: 1.5, text: 'ü' },
      timestamp: expect.stringMatching(/^2026-11-27 19:29:24\.\d{6}$/) as unknown,
      uniqueId: undefined,
      context: { user: 'alice', project_id: 'p1', is_admin: false },
    });
  });

  it('is what we write for the same, key for key', () => {
    const { messageId, publisherId, eventType, payload, timestamp, context } = received;
    const notification = { messageId, publisherId, eventType, priority: 'info', payload, timestamp, context };
    const written = encodeNotification(notification as Notification, 'no such id', 'kafka');
    const enclosed = (text: string): string => (JSON.parse(text) as Record<string, string>)['oslo.message']!;
    expect(Object.keys(JSON.parse(written) as object)).toEqual(Object.keys(JSON.parse(captured) as object));
    // The same text but for the spaces and escapes that Python writes.
    expect(enclosed(written)).toBe(JSON.stringify(JSON.parse(enclosed(captured))));
  });
});

it.each([
  ['a missing one', {}],
  ['null', { _context: null }],
  ['a list', { _context: ['x'] }],
  ['a text', { _context: 'x' }],
])('a context that is none is empty: %s', (_, message) => {
  expect(decodeNotification({ priority: 'INFO', ...message }, 'kafka').context).toEqual({});
});

it('flat keys are no context there, and an object is none of AMQP', () => {
  const message = { priority: 'INFO', _context_user: 'flat', _context: { user: 'nested' } };
  expect(decodeNotification(message, 'kafka').context).toEqual({ user: 'nested' });
  expect(decodeNotification(message).context).toEqual({ user: 'flat' });
});

it("a context with a key '__proto__' is refused", () => {
  const message = JSON.parse('{"priority": "INFO", "_context": {"__proto__": {"admin": true}}}') as Record<
    string,
    unknown
  >;
  expect(decodeNotification(message, 'kafka').problem).toBeDefined();
});
