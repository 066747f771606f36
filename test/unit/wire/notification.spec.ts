import { describe, expect, it } from 'vitest';
import { MalformedMessage, type Notification, type NotificationPriority } from '../../../lib/index.js';

import { openEnvelope } from '../../../lib/wire/envelope.js';
import { decodeNotification, encodeNotification, type NotificationFormat } from '../../../lib/wire/notification.js';
import { parseTimestamp, timestampOf } from '../../../lib/wire/notification-timestamp.js';
import { redactedContext } from '../../../lib/wire/redacted-context.js';
import { capturesOf } from '../../golden/read-golden.js';

const open = (body: string) =>
  openEnvelope(new TextEncoder().encode(body), {
    maxBytes: 1_000_000,
    integers: 'exact',
    contentType: 'application/json',
  });

const formatOf = (name: string): NotificationFormat => (name.includes('_v1.') ? '1.0' : '2.0');

const captures = capturesOf('notification_').map(([name, capture]) => ({
  name,
  format: formatOf(name),
  body: capture.body_raw,
  message: capture.oslo_message_decoded ?? capture.body_json,
}));

it('has captures of both versions and both formats', () => {
  expect(captures.map(({ format }) => format).toSorted()).toEqual(['1.0', '1.0', '2.0', '2.0', '2.0', '2.0']);
});

describe.each(captures)('captured notification $name', ({ format, body, message }) => {
  it('is understood', () => {
    expect(decodeNotification(open(body))).toEqual({
      messageId: message.message_id,
      publisherId: message.publisher_id,
      eventType: message.event_type,
      priority: String(message.priority).toLowerCase(),
      payload: message.payload,
      timestamp: message.timestamp,
      uniqueId: message._unique_id,
      context: Object.fromEntries(
        Object.entries(message)
          .filter(([key]) => key.startsWith('_context_'))
          .map(([key, value]) => [key.slice('_context_'.length), value]),
      ),
    });
  });

  it('is what we write for the same notification, key for key', () => {
    const received = decodeNotification(open(body));
    const written = encodeNotification(
      { ...received, priority: received.priority as NotificationPriority } as Notification,
      received.uniqueId!,
      format,
    );
    const text = format === '1.0' ? written : (JSON.parse(written) as Record<string, string>)['oslo.message'];
    expect(text).toBe(JSON.stringify(message));
    if (format === '2.0') expect(Object.keys(JSON.parse(written) as object)).toEqual(['oslo.version', 'oslo.message']);
  });

  it('has a timestamp that we read and write alike, to the millisecond', () => {
    const sent = String(message.timestamp);
    expect(timestampOf(parseTimestamp(sent)!)).toBe(`${sent.slice(0, -3)}000`);
  });
});

describe('the context of a notification', () => {
  const [full] = capturesOf('notification_v2_ctx.14.0.3').map(([, capture]) => capture.oslo_message_decoded);

  it('is reduced to the keys that Python sends, without the token', () => {
    const { context } = decodeNotification(full!);
    const given = { service_catalog: [{ type: 'image' }], ...context, auth_token: 'secret', password: 'secret' };
    expect(Object.entries(redactedContext(given))).toEqual(Object.entries(context));
  });

  it('gets no keys that it has not', () => {
    expect(redactedContext({ request_id: 'req-9', user: 'u1' })).toEqual({ user: 'u1', request_id: 'req-9' });
    expect(redactedContext({})).toEqual({});
  });
});

describe('a notification with wrong types', () => {
  it('is a problem where its priority is none: that decides where it goes', () => {
    const decoded = decodeNotification({ priority: 1, event_type: 'a' });
    expect(decoded.problem).toBeInstanceOf(MalformedMessage);
    expect(decoded.problem?.message).toContain('priority');
  });

  it.each([
    ['message_id', 7, { messageId: '7' }],
    ['publisher_id', ['a'], { publisherId: undefined }],
    ['event_type', 9.5, { eventType: '9.5' }],
    ['event_type', {}, { eventType: undefined }],
    ['timestamp', 1_700_000_000, { timestamp: '1700000000' }],
    ['timestamp', 2n ** 64n, { timestamp: '18446744073709551616' }],
    ['_unique_id', false, { uniqueId: undefined }],
  ])('is none where it is %s: a number is taken as its text, anything else as absent', (key, value, expected) => {
    const decoded = decodeNotification({ priority: 'INFO', event_type: 'a', payload: 1, [key]: value });
    expect(decoded.problem).toBeUndefined();
    expect(decoded).toMatchObject({ priority: 'info', payload: 1, ...expected });
  });

  it('absent or null fields are none', () => {
    expect(decodeNotification({ publisher_id: null, event_type: null })).toEqual({
      priority: '',
      payload: null,
      context: {},
    });
  });

  it.each([
    ['the payload', '{"payload": {"__proto__": {"admin": true}}}'],
    ['the context', '{"_context___proto__": {"admin": true}}'],
  ])('a key __proto__ of %s is refused', (where, text) => {
    const { problem, context } = decodeNotification(JSON.parse(text) as Record<string, unknown>);
    expect(problem?.message).toContain('__proto__');
    expect(problem?.message).toContain(where);
    expect('admin' in context).toBe(false);
  });
});

describe('timestamps', () => {
  it.each([
    ['2026-11-22 00:33:42.144266', '2026-11-22T00:33:42.144Z'],
    ['2026-11-22 00:33:42', '2026-11-22T00:33:42.000Z'],
    ['2026-11-22T00:33:42.100854', '2026-11-22T00:33:42.100Z'],
    ['2026-11-22T02:33:42+02:00', '2026-11-22T00:33:42.000Z'],
    ['2026-11-21T19:33:42.5-0500', '2026-11-22T00:33:42.500Z'],
    ['2026-11-22T00:33:42Z', '2026-11-22T00:33:42.000Z'],
    ['0099-02-28 01:02:03', '0099-02-28T01:02:03.000Z'],
  ])('%s is %s', (text, iso) => {
    expect(parseTimestamp(text)?.toISOString()).toBe(iso);
  });

  it.each(['', 'Sun Nov 22 2026', '2026-02-31 00:00:00', '2026-11-22 24:00:00', '2026-11-22 00:61:00', '2026-11-22'])(
    '%j is none',
    (text) => {
      expect(parseTimestamp(text)).toBeUndefined();
    },
  );

  // Python: str(datetime.datetime(2024, 2, 29, 12, 34, 56)) and (…, 56, 7000)
  it.each([
    [Date.UTC(2024, 1, 29, 12, 34, 56), '2024-02-29 12:34:56'],
    [Date.UTC(2024, 1, 29, 12, 34, 56, 7), '2024-02-29 12:34:56.007000'],
  ])('%i is written as Python does', (time, text) => {
    expect(timestampOf(new Date(time))).toBe(text);
  });
});
