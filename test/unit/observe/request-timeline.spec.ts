import { describe, expect, it } from 'vitest';
import { RequestTimeline } from '../../../lib/observe/traffic/request-timeline.js';
import { answer, delivery, notification, request } from '../../support/traffic-records.js';

describe('the timeline of a request', () => {
  it('has its calls, casts, fanouts and notifications, on its own clock, and nothing of others', () => {
    const timeline = new RequestTimeline('req-1', 'firehose');
    for (const record of [
      request({ t: 1_000, id: 'a', key: 'conductor', message: { namespace: 'baseapi', version: '1.3' } }),
      request({ t: 1_001, id: 'z', requestId: 'req-2' }),
      delivery({ t: 1_002, id: 'a', queue: 'conductor' }),
      answer({ t: 1_003, id: 'z' }),
      answer({ t: 1_015, id: 'a' }),
      request({ t: 1_020, id: 'b', kind: 'cast', key: 'compute.host1' }),
      request({ t: 1_030, id: 'c', kind: 'fanout', exchange: 'compute_fanout' }),
      notification({ t: 1_040 }),
      notification({ t: 1_050, requestId: 'req-2' }),
    ]) {
      timeline.add(record);
    }
    expect(timeline.timeline()).toEqual({
      requestId: 'req-1',
      at: 1_000,
      durationMs: 40,
      omitted: 0,
      spans: [
        {
          kind: 'call',
          exchange: 'nova',
          topic: 'conductor',
          name: 'baseapi.ping',
          version: '1.3',
          startMs: 0,
          takenMs: 2,
          queue: 'conductor',
          endMs: 15,
          state: 'answered',
        },
        expect.objectContaining({ kind: 'cast', topic: 'compute', server: 'host1', startMs: 20, state: 'sent' }),
        expect.objectContaining({ kind: 'fanout', topic: 'compute', startMs: 30, state: 'sent' }),
        {
          kind: 'notification',
          exchange: 'nova',
          topic: 'notifications',
          name: 'compute.instance.create.end',
          priority: 'INFO',
          publisherId: 'compute.host1',
          startMs: 40,
          state: 'sent',
        },
      ],
    });
  });

  it('a global request id finds what it has led to in other services', () => {
    const timeline = new RequestTimeline('req-global', 'firehose');
    timeline.add(request({ id: 'a', message: { _context_global_request_id: 'req-global' } }));
    expect(timeline.timeline().spans).toHaveLength(1);
  });

  it('a late answer and a caller that has given up are told, with the deadline', () => {
    const timeline = new RequestTimeline('req-1', 'firehose');
    timeline.add(request({ t: 1_000, id: 'late', expirationMs: 500 }));
    timeline.add(request({ t: 1_000, id: 'never', expirationMs: 700 }));
    expect(timeline.isSettled).toBe(false);
    timeline.passTime(1_700);
    expect(timeline.isSettled).toBe(true);
    timeline.add(answer({ t: 2_000, id: 'late' }));
    const { spans, durationMs } = timeline.timeline();
    expect(spans.map(({ state, deadlineMs, endMs }) => [state, deadlineMs, endMs])).toEqual([
      ['late', 500, 1_000],
      ['expired', 700, undefined],
    ]);
    expect(durationMs).toBe(1_000);
  });

  it('tells of each message and of each end; of too many the later ones are counted', () => {
    let told = 0;
    const timeline = new RequestTimeline('req-1', 'firehose', () => (told += 1), 2);
    for (const id of ['a', 'b', 'c']) timeline.add(request({ id }));
    timeline.add(answer({ id: 'a' }));
    expect(told).toBe(4);
    expect(timeline.timeline()).toMatchObject({ omitted: 1, spans: [{ state: 'answered' }, { state: 'waiting' }] });
  });

  it('by bindings, which see no answers, a call is never said to have none, and nothing is waited for', () => {
    const timeline = new RequestTimeline('req-1', 'binding');
    timeline.add(request({ t: 1_000, expirationMs: 500 }));
    timeline.passTime(2_000);
    expect(timeline.isSettled).toBe(true);
    expect(timeline.timeline()).toMatchObject({ durationMs: 0, spans: [{ state: 'waiting' }] });
  });

  it('of what nobody has seen there is nothing', () => {
    expect(new RequestTimeline('req-1', 'firehose').timeline()).toEqual({
      requestId: 'req-1',
      durationMs: 0,
      spans: [],
      omitted: 0,
    });
  });
});
