import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { MalformedMessage } from '../../../lib/index.js';
import { requestData, requestLine } from '../../../lib/cli/traffic-lines.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { CallPairing } from '../../../lib/observe/call-pairing.js';
import { RecordingReader, writeHead, writeRecord } from '../../../lib/observe/recording.js';
import { TRACE_EXCHANGE, TrafficDecoder } from '../../../lib/observe/traffic-decoder.js';
import type { TrafficRecord } from '../../../lib/observe/traffic-record.js';
import { stringifyJson } from '../../../lib/wire/json/json.js';

vi.setConfig({ testTimeout: 60_000 });

const RUNS = { numRuns: 400, endOnFailure: true };
const SECRET = 'Pa55-never-shown';
const head = writeHead({ at: '2026-01-01T00:00:00Z', source: 'firehose', url: 'rabbit://h/', masked: true });

/** Messages with the keys that decide, and anything as their values. */
const message = fc.record(
  {
    method: fc.oneof(fc.string(), fc.jsonValue()),
    args: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
    _msg_id: fc.oneof(fc.constant('m'), fc.jsonValue()),
    _reply_q: fc.oneof(fc.constant('reply_1'), fc.jsonValue()),
    _unique_id: fc.oneof(fc.constant('u'), fc.jsonValue()),
    _context_auth_token: fc.constant(SECRET),
    _context_request_id: fc.jsonValue(),
    result: fc.jsonValue(),
    failure: fc.oneof(fc.string(), fc.jsonValue()),
    ending: fc.jsonValue(),
    event_type: fc.jsonValue(),
    namespace: fc.jsonValue(),
    version: fc.jsonValue(),
  },
  { requiredKeys: ['_context_auth_token'] },
);
const key = fc.oneof(fc.constantFrom('publish.nova', 'publish.', 'deliver.conductor', 'publish.a_fanout'), fc.string());

it('whatever the firehose tells is decoded, paired and shown, and no secret with it', () => {
  const decoder = new TrafficDecoder(resolveRabbitOptions());
  const told: string[] = [];
  const tell = (request: Parameters<typeof requestLine>[0]): void => {
    told.push(requestLine(request), stringifyJson(requestData(request)));
  };
  const pairing = new CallPairing({ published: tell, taken: tell, ended: tell }, { open: 50 });
  fc.assert(
    fc.property(
      message,
      key,
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.boolean(),
      (content, routingKey, odd, sealed) => {
        const text = JSON.stringify(content);
        const body = Buffer.from(sealed ? JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': text }) : text);
        const properties = { content_type: 'application/json', headers: {} };
        const headers = { properties, routing_keys: [routingKey], routed_queues: ['q'], ...odd };
        const record = decoder.decode({ exchange: TRACE_EXCHANGE, routingKey, body, properties: { headers } });
        pairing.add(record);
        pairing.passTime(Date.now() + 1e9);
        expect(writeRecord(record) + told.splice(0).join('\n')).not.toContain(SECRET);
      },
    ),
    RUNS,
  );
});

it('any bytes are a record, or one with a problem', () => {
  const decoder = new TrafficDecoder(resolveRabbitOptions());
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), key, (body, routingKey) => {
      const properties = { headers: { properties: { content_type: 'application/json', headers: {} } } };
      const record = decoder.decode({ exchange: TRACE_EXCHANGE, routingKey, body, properties });
      expect(record.message === undefined).toBe(record.problem !== undefined);
    }),
    RUNS,
  );
});

it('a damaged recording is read or refused, with the line that is wrong', () => {
  const record: TrafficRecord = {
    t: 1,
    ev: 'publish',
    exchange: 'nova',
    key: 'conductor',
    size: 3,
    message: { a: [1] },
  };
  const lines = [head, writeRecord(record), writeRecord({ ...record, ev: 'deliver', queue: 'conductor' })];
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(3), fc.string({ maxLength: 3 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(edits, (made) => {
      const text = made.reduce(
        (now, [at, remove, insert]) => now.slice(0, at) + insert + now.slice(at + remove),
        lines.join(''),
      );
      const reader = new RecordingReader();
      try {
        for (const line of text.split('\n')) reader.read(line);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMessage);
        expect(String(error)).toMatch(/line \d+ of the recording/);
      }
    }),
    RUNS,
  );
});
