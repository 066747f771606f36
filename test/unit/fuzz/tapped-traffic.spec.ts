import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { MalformedMessage } from '../../../lib/index.js';
import { painted } from '../../../lib/cli/tone.js';
import { requestData, requestLine } from '../../../lib/cli/traffic/traffic-lines.js';
import { stepData, stepLine } from '../../../lib/cli/traffic/replay-lines.js';
import { timelineData, timelineLines } from '../../../lib/cli/traffic/timeline-drawing.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { CallPairing } from '../../../lib/observe/traffic/call-pairing.js';
import { RecordingReader, writeHead, writeRecord } from '../../../lib/observe/traffic/recording.js';
import { paceOf, ReplayPlanner } from '../../../lib/observe/traffic/replay-plan.js';
import { RequestTimeline } from '../../../lib/observe/traffic/request-timeline.js';
import { differencesOf } from '../../../lib/observe/traffic/structural-diff.js';
import { TRACE_EXCHANGE, TrafficDecoder } from '../../../lib/observe/traffic/traffic-decoder.js';
import type { TrafficRecord } from '../../../lib/observe/traffic/traffic-record.js';
import { TrafficStats } from '../../../lib/observe/traffic/traffic-stats.js';
import { stringifyJson } from '../../../lib/wire/json/json.js';
import { maskedValue } from '../../../lib/wire/masked-value.js';

vi.setConfig({ testTimeout: 180_000 });

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
    told.push(
      painted(requestLine(request), false, (text) => text),
      stringifyJson(requestData(request)),
    );
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

const amount = fc.oneof(fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }), fc.nat(5_000));

/** Records that a strict reader lets through, in any order, with times and sizes that make no sense. */
const record = fc
  .record({
    t: fc.oneof(fc.double({ min: 0, max: 8.64e15, noNaN: true }), fc.integer({ min: 0, max: 5_000 })),
    ev: fc.constantFrom('publish', 'deliver'),
    exchange: fc.oneof(fc.constantFrom('nova', '', 'a_fanout'), fc.string()),
    key: fc.oneof(fc.constantFrom('conductor', 'conductor.host1', 'reply_1', 'notifications.info'), fc.string()),
    routed: fc.option(fc.array(fc.string(), { maxLength: 2 }), { nil: undefined }),
    expirationMs: fc.option(amount, { nil: undefined }),
    size: amount,
    message,
  })
  .map((one) => one as TrafficRecord);
const recording = fc.array(record, { maxLength: 30 });

function readAgain(records: readonly TrafficRecord[]): TrafficRecord[] {
  const reader = new RecordingReader();
  reader.read(head);
  return records.flatMap((one) => reader.read(writeRecord(one).trimEnd()) ?? []);
}

it('whatever a recording holds is drawn and counted, within the terminal, and no secret with it', () => {
  fc.assert(
    fc.property(
      recording,
      fc.integer({ min: 1, max: 300 }),
      fc.constantFrom('binding', 'firehose'),
      (all, width, source) => {
        const timeline = new RequestTimeline('req-1', source, undefined, 10);
        const stats = new TrafficStats(source, { open: 5, bytes: 1_000 }, 5);
        for (const one of readAgain(all)) {
          timeline.add({ ...one, message: { ...one.message, _context_request_id: 'req-1' } });
          stats.add(one);
        }
        timeline.passTime(1e9);
        const drawn = timeline.timeline();
        const rows = stats.interval(1e9, 1);
        expect(drawn.spans.length).toBeLessThanOrEqual(10);
        expect(rows.length).toBeLessThanOrEqual(5 + 4);
        const shown = timelineLines(drawn, width).map((line) => painted(line, false, String));
        expect(stringifyJson(timelineData(drawn)) + shown.join('')).not.toContain(SECRET);
        for (const { rate, inFlight = 0 } of rows) expect(rate >= 0 && inFlight >= 0).toBe(true);
      },
    ),
    RUNS,
  );
});

it('whatever a recording holds is planned or left out, and the plan can be listed, paced and compared', () => {
  fc.assert(
    fc.property(recording, (all) => {
      const planner = new ReplayPlanner({}, undefined, { steps: 20 });
      const records = readAgain(all);
      for (const one of records) planner.add(one);
      const { steps, leftOut } = planner.plan();
      expect(steps.length + leftOut.unreadable + leftOut.tooMany).toBeLessThanOrEqual(records.length);
      const told = steps.map((step) => stepLine(step) + stringifyJson(maskedValue(stepData(step))));
      expect(told.join('')).not.toContain(SECRET);
      const pace = paceOf(steps, 10, 50);
      expect(pace.every((at, n) => at >= 0 && (n === 0 || at > pace[n - 1]!))).toBe(true);
      for (const step of steps) expect(differencesOf(step, step)).toEqual([]);
    }),
    RUNS,
  );
});

it('any two values are compared, and differ from each other as often as they do from themselves: never', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const found = differencesOf(one, other);
      expect(found.length === 0).toBe(stringifyJson(sortedKeys(one)) === stringifyJson(sortedKeys(other)));
      expect(differencesOf(other, one)).toHaveLength(found.length);
      expect(differencesOf(one, other, [['*']]).every(({ path }) => path.length === 0)).toBe(true);
    }),
    RUNS,
  );
});

/** `-0` is written as 0. */
function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, item]) => [`k${key}`, sortedKeys(item)]),
  );
}
