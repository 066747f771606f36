import { describe, expect, it } from 'vitest';
import { TrafficStats } from '../../../lib/observe/traffic/traffic-stats.js';
import { answer, delivery, notification, request } from '../../support/traffic-records.js';

const failure = JSON.stringify({ class: 'ValueError', module: 'builtins', message: 'no', args: [], kwargs: {} });

describe('the numbers of a bus', () => {
  it('are counted per exchange, topic, method and kind, and begin anew with each interval', () => {
    const stats = new TrafficStats('firehose');
    for (let n = 0; n < 4; n++) stats.add(request({ id: `a${n}`, key: `conductor.host${n}` }));
    stats.add(request({ id: 'b', message: { namespace: 'baseapi' } }));
    stats.add(request({ id: 'c', kind: 'cast' }));
    stats.add(delivery({ id: 'c', kind: 'cast' }));
    stats.add(request({ id: 'd', kind: 'fanout', exchange: 'conductor_fanout' }));
    stats.add(notification());
    stats.add(delivery({ id: 'n1', message: { method: undefined, event_type: 'x' } }));
    expect(stats.interval(1_000, 2)).toEqual([
      expect.objectContaining({ topic: 'conductor', name: 'baseapi.ping', kind: 'call', rate: 0.5, inFlight: 1 }),
      expect.objectContaining({ topic: 'conductor', name: 'ping', kind: 'call', messages: 4, rate: 2, inFlight: 4 }),
      expect.objectContaining({ name: 'ping', kind: 'cast', messages: 1 }),
      {
        exchange: 'conductor_fanout',
        topic: 'conductor',
        name: 'ping',
        kind: 'fanout',
        messages: 1,
        rate: 0.5,
        errors: 0,
      },
      {
        exchange: 'nova',
        topic: 'notifications.info',
        name: 'compute.instance.create.end',
        kind: 'notification',
        messages: 1,
        rate: 0.5,
      },
    ]);
    // Calls that are still open keep their row; the others are gone after an interval without any.
    stats.interval(1_000, 2);
    expect(stats.interval(1_000, 2).map(({ name, rate }) => [name, rate])).toEqual([
      ['baseapi.ping', 0],
      ['ping', 0],
    ]);
  });

  it('latencies are those of the answers of the interval, within the 2 digits of the histogram', () => {
    const stats = new TrafficStats('firehose');
    for (let n = 1; n <= 100; n++) {
      stats.add(request({ t: 1_000, id: `a${n}` }));
      stats.add(answer({ t: 1_000 + n, id: `a${n}` }));
    }
    const [row] = stats.interval(2_000, 1);
    expect(row).toMatchObject({ answered: 100, errors: 0, inFlight: 0 });
    expect(row!.p50Ms!).toBeGreaterThan(49);
    expect(row!.p50Ms!).toBeLessThan(52);
    expect(row!.p99Ms!).toBeGreaterThan(98);
    expect(row!.p99Ms!).toBeLessThan(101);
    expect(stats.interval(2_000, 1)[0]).not.toHaveProperty('p50Ms');
  });

  it('errors are failures, late answers, callers that gave up, and requests to nobody: each once', () => {
    const stats = new TrafficStats('firehose');
    const add = (id: string, said: object = {}): void => stats.add(request({ t: 1_000, id, ...said }));
    add('failed');
    stats.add(answer({ id: 'failed', message: { failure } }));
    add('late', { expirationMs: 10 });
    stats.add(answer({ t: 1_020, id: 'late' }));
    add('expired', { expirationMs: 10 });
    add('nobody', { routed: [] });
    expect(stats.interval(1_500, 1)).toMatchObject([{ messages: 4, answered: 2, errors: 4, inFlight: 0 }]);
    stats.add(answer({ t: 1_600, id: 'expired' }));
    expect(stats.interval(1_700, 1)).toMatchObject([{ errors: 0, answered: 0 }]);
  });

  it('without answers nothing is said of latencies, errors and what is in flight', () => {
    const stats = new TrafficStats('binding');
    stats.add(request({ t: 1_000, expirationMs: 10 }));
    const [row] = stats.interval(2_000, 1);
    expect(row).toMatchObject({ messages: 1 });
    expect(Object.keys(row!)).not.toEqual(expect.arrayContaining(['errors']));
    expect(Object.keys(row!)).not.toEqual(expect.arrayContaining(['inFlight']));
  });

  it('of too many methods the rest is one row, and forgotten calls are not in flight', () => {
    const stats = new TrafficStats('firehose', { open: 2 }, 2);
    for (const name of ['a', 'b', 'c', 'd']) stats.add(request({ id: name, message: { method: name } }));
    const rows = stats.interval(1_000, 1);
    expect(rows.map(({ topic, name, messages, inFlight }) => [topic, name, messages, inFlight])).toEqual([
      ['conductor', 'a', 1, 0],
      ['conductor', 'b', 1, 0],
      ['other', 'other', 2, 2],
    ]);
  });
});
