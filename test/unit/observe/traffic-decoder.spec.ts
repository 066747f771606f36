import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { TRACE_EXCHANGE, TrafficDecoder } from '../../../lib/observe/traffic/traffic-decoder.js';
import { addressOf, kindOf } from '../../../lib/observe/traffic/traffic-record.js';
import { encodeRequest } from '../../../lib/wire/rpc/rpc-request.js';

const decoder = new TrafficDecoder(resolveRabbitOptions(), 'masked', () => 7);
const body = Buffer.from(
  encodeRequest({
    method: 'ping',
    args: { admin_password: 'hunter2', url: 'rabbit://u:geheim@h/' },
    msgId: 'm1',
    replyQueue: 'reply_1',
    uniqueId: 'u1',
    context: { auth_token: 'sesame', request_id: 'req-1' },
  }),
);

function traced(routingKey: string, headers: object, content: Buffer = body, properties: object = {}) {
  return decoder.decode({
    exchange: TRACE_EXCHANGE,
    routingKey,
    body: content,
    properties: {
      headers: {
        exchange_name: 'nova',
        routing_keys: ['conductor'],
        node: 'rabbit@h',
        properties: { content_type: 'application/json', expiration: '60000', headers: {}, ...properties },
        ...headers,
      },
    },
  });
}

describe('the decoder', () => {
  it('reads a publish that the firehose tells, and masks secrets', () => {
    const record = traced('publish.nova', { routed_queues: ['conductor'], connection: 'c1', user: 'nova' });
    expect(record).toMatchObject({
      t: 7,
      ev: 'publish',
      exchange: 'nova',
      key: 'conductor',
      routed: ['conductor'],
      conn: 'c1',
      user: 'nova',
      expirationMs: 60_000,
      message: { method: 'ping', _context_auth_token: '***', args: { admin_password: '***' } },
    });
    expect(JSON.stringify(record)).not.toMatch(/hunter2|geheim|sesame/);
    expect(kindOf(record)).toBe('call');
  });

  it('reads a delivery, and what is compressed', () => {
    const record = traced('deliver.conductor.host1', { redelivered: 1 }, deflateSync(body), {
      headers: { compression: 'application/x-gzip' },
    });
    expect(record).toMatchObject({ ev: 'deliver', queue: 'conductor.host1', redelivered: true });
    expect(record.message?.method).toBe('ping');
  });

  it.each([
    ['no JSON', Buffer.from('nonsense')],
    ['no text', Buffer.from([0xff, 0xfe])],
    ['cut off', body.subarray(0, body.length - 5)],
    ['too large when decompressed', deflateSync(Buffer.alloc(64 * 1024 * 1024))],
  ])('what cannot be read is a record with a reason: %s', (what, content) => {
    const headers = what.startsWith('too large') ? { headers: { compression: 'zlib' } } : {};
    const record = traced('publish.nova', {}, content, headers);
    expect(record.message).toBeUndefined();
    expect(record.problem).toEqual(expect.any(String));
  });

  it.each([null, 'text', 7, [], { properties: 'x' }])(
    'headers that are none of the firehose harm nothing: %j',
    (odd) => {
      const headers = { exchange_name: odd, routing_keys: odd, routed_queues: odd, properties: odd };
      expect(traced('publish.nova', headers)).toMatchObject({ ev: 'publish' });
    },
  );

  it('nesting beyond measure is left out', () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const message = Buffer.from(`{"method":"ping","args":{"deep":${deep}}}`);
    expect(JSON.stringify(traced('publish.nova', {}, message))).toContain('nested too deep');
  });

  it('knows topic and server', () => {
    expect(addressOf({ exchange: 'nova', key: 'compute.host.domain' })).toEqual({
      topic: 'compute',
      server: 'host.domain',
    });
    expect(addressOf({ exchange: 'compute_fanout', key: 'compute' })).toEqual({ topic: 'compute' });
  });
});
