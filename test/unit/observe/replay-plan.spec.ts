import { describe, expect, it } from 'vitest';
import { paceOf, ReplayPlanner, type ReplayStep } from '../../../lib/observe/traffic/replay-plan.js';
import type { TrafficRecord } from '../../../lib/observe/traffic/traffic-record.js';
import { answer, delivery, notification, request } from '../../support/traffic-records.js';

function planOf(records: TrafficRecord[], ...rest: ConstructorParameters<typeof ReplayPlanner>) {
  const planner = new ReplayPlanner(...rest);
  for (const record of records) planner.add(record);
  return planner.plan();
}

describe('the plan of a replay', () => {
  it('is bounded by what it holds: messages are counted then, and calls are without their answers', () => {
    const args = { text: 'x'.repeat(10_000) };
    const records = ['a', 'b', 'c'].flatMap((id) => [
      request({ id, message: { args } }),
      answer({ id, message: { result: args } }),
    ]);
    const { steps, leftOut } = planOf(records, {}, undefined, { bytes: 35_000 });
    expect(steps.map((step) => ('answer' in step ? step.answer?.name : 'none'))).toEqual(['answered', 'answered']);
    expect(leftOut).toEqual({ unwanted: 0, unreadable: 0, tooMany: 1 });
    const [alone] = planOf(records, {}, undefined, { bytes: 10_000 }).steps;
    expect(alone).not.toHaveProperty('answer');
  });

  it('has requests and notifications in their order, with what was answered, and no deliveries', () => {
    const { steps, leftOut } = planOf([
      request({
        t: 1_000,
        id: 'a',
        key: 'conductor.host1',
        expirationMs: 500,
        message: { args: { n: 1 }, version: '1.3' },
      }),
      delivery({ t: 1_001, id: 'a' }),
      answer({ t: 1_020, id: 'a', message: { result: { pong: 1 } } }),
      request({ t: 1_100, id: 'b', kind: 'cast', message: { namespace: 'baseapi' } }),
      request({ t: 1_200, id: 'c', kind: 'fanout', exchange: 'compute_fanout', key: '' }),
      notification({ t: 1_300 }),
    ]);
    expect(leftOut).toEqual({ unwanted: 0, unreadable: 0, tooMany: 0 });
    expect(steps).toEqual([
      {
        n: 1,
        kind: 'call',
        afterMs: 0,
        recordedId: 'a',
        context: { request_id: 'req-1' },
        isMasked: false,
        exchange: 'nova',
        target: { exchange: 'nova', topic: 'conductor', server: 'host1', namespace: null, version: '1.3' },
        method: 'ping',
        args: { n: 1 },
        timeoutMs: 500,
        answer: { name: 'answered', result: { pong: 1 }, afterMs: 20 },
      },
      expect.objectContaining({
        n: 2,
        kind: 'cast',
        afterMs: 100,
        target: { exchange: 'nova', topic: 'conductor', namespace: 'baseapi', version: '1.0' },
      }),
      expect.objectContaining({
        kind: 'fanout',
        exchange: 'compute_fanout',
        target: { fanout: true, topic: 'compute', namespace: null, version: '1.0' },
      }),
      expect.objectContaining({
        kind: 'notification',
        topic: 'notifications',
        priority: 'info',
        publisherId: 'compute.host1',
        eventType: 'compute.instance.create.end',
        payload: { id: 'i1' },
      }),
    ]);
  });

  it('nothing of the ids and of the reply queue of then is in what is sent', () => {
    const { steps } = planOf([request({ id: 'recorded-id' }), notification()]);
    const sent = JSON.stringify(steps.map((step) => ({ ...step, recordedId: undefined })));
    expect(sent).not.toMatch(/recorded-id|reply_1|n1|11111111/);
  });

  it.each([
    [answer({ t: 1_000 }), request({ t: 1_001 })],
    [request({ t: 1_001 }), answer({ t: 1_005 })],
  ])('an answer is found in whatever order the two were recorded', (...records) => {
    expect(planOf(records).steps[0]).toMatchObject({ answer: { name: 'answered' } });
  });

  it('of several answers the last value counts; heartbeats do not; a failure has its class', () => {
    const value = (result: unknown, ending: boolean) => answer({ message: { result, ending } });
    const { steps } = planOf([request(), value(null, false), value(1, false), value(2, false), value(null, true)]);
    expect(steps[0]).toMatchObject({ answer: { result: 2 } });
    const failure = JSON.stringify({ class: 'ValueError', module: 'builtins', message: 'no', args: [], kwargs: {} });
    expect(planOf([request(), answer({ message: { failure } })]).steps[0]).toMatchObject({
      answer: { name: 'failed', failure: { excType: 'ValueError', module: 'builtins', message: 'no' } },
    });
  });

  it('a call whose caller had given up has timed out, whatever was answered later', () => {
    const { steps } = planOf([request({ t: 1_000, expirationMs: 500 }), answer({ t: 1_501 })]);
    expect(steps[0]).toMatchObject({ answer: { name: 'timeout', afterMs: 501 } });
  });

  it.each([
    ['in the context', { _context_auth_token: '***' }, true],
    ['in an argument', { args: { a: ['rabbit://u:***@h/'] } }, true],
    ['where a text was cut', { args: { a: `${'x'.repeat(262_144)}… (300000 characters)` } }, true],
    ['nowhere', { _context_auth_token: 'sesame' }, false],
  ])('knows what was masked: %s', (_what, message, isMasked) => {
    expect(planOf([request({ message })]).steps[0]).toMatchObject({ isMasked });
  });

  it('keys of the context may have other values, which are no longer masked then', () => {
    const { steps } = planOf([request({ message: { _context_auth_token: '***' } })], { auth_token: 'mine' });
    expect(steps[0]).toMatchObject({ context: { request_id: 'req-1', auth_token: 'mine' }, isMasked: false });
  });

  it('counts what is not asked for, what nobody can read, and what is too much; the first of a repetition is sent', () => {
    const records = [
      request({ id: 'a' }),
      request({ id: 'a' }),
      request({ id: 'b', message: { method: 'other' } }),
      request({ id: 'c', message: { args: 3 } }),
      { ...request(), message: undefined },
      notification({ key: 'elsewhere' }),
      request({ id: 'd' }),
    ] as TrafficRecord[];
    const wanted = (step: ReplayStep): boolean => step.kind === 'call' && step.method === 'ping';
    const { steps, leftOut } = planOf(records, {}, wanted, { steps: 1 });
    expect(steps.map(({ n, recordedId }) => [n, recordedId])).toEqual([[1, 'a']]);
    expect(leftOut).toEqual({ unwanted: 1, unreadable: 3, tooMany: 1 });
  });
});

describe('the pace of a replay', () => {
  const steps = planOf([0, 1_000, 1_001, 1_002].map((t, at) => request({ t, id: String(at) }))).steps;

  it.each([
    [1, 1_000, [0, 1_000, 1_001, 1_002]],
    [10, 1_000, [0, 100, 101, 102]],
    [1, 50, [0, 1_000, 1_020, 1_040]],
    [Infinity, 50, [0, 20, 40, 60]],
  ])('%f times as fast, %i a second at most', (speed, maxRate, times) => {
    expect(paceOf(steps, speed, maxRate).map((at) => Math.round(at))).toEqual(times);
  });
});
