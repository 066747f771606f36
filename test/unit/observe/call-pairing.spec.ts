import { beforeEach, describe, expect, it } from 'vitest';
import { CallPairing, type SeenRequest } from '../../../lib/observe/traffic/call-pairing.js';
import type { TrafficRecord } from '../../../lib/observe/traffic/traffic-record.js';

const failure = JSON.stringify({ class: 'ValueError', module: 'builtins', message: 'no such host', tb: [], args: [] });

function call(id: string, changes: Partial<TrafficRecord> = {}): TrafficRecord {
  const message = { method: 'ping', args: {}, version: '1.1', _msg_id: id, _reply_q: 'reply_1', _unique_id: `u${id}` };
  return {
    t: 1000,
    ev: 'publish',
    exchange: 'nova',
    key: 'conductor.host1',
    size: 1,
    routed: ['q'],
    message,
    ...changes,
  };
}

function delivery(id: string, t: number, queue = 'conductor.host1'): TrafficRecord {
  return call(id, { t, ev: 'deliver', queue, routed: undefined, redelivered: false, conn: 'server' });
}

function reply(
  id: string,
  t: number,
  changes: object = { result: 'pong', failure: null, ending: true },
): TrafficRecord {
  const message = { _msg_id: id, _unique_id: `r${id}`, ...changes };
  return { t, ev: 'publish', exchange: '', key: 'reply_1', size: 1, routed: ['reply_1'], message };
}

describe('pairing', () => {
  let told: string[];
  let ended: SeenRequest[];
  const pairing = (most?: number, bytes?: number) =>
    new CallPairing(
      {
        published: ({ id, state }) => told.push(`published ${id} ${state.name}`),
        taken: ({ id, taken }) => told.push(`taken ${id} by ${taken?.conn}`),
        ended: (request) => {
          ended.push({ ...request });
          told.push(`ended ${request.id} ${request.state.name}`);
        },
      },
      { open: most, bytes },
    );

  beforeEach(() => {
    told = [];
    ended = [];
  });

  it('of what bindings see nothing is kept: neither its delivery nor its answer will be told', () => {
    const on = new CallPairing(
      { published: ({ id }) => told.push(`published ${id}`), ended: ({ id }) => told.push(`ended ${id}`) },
      { source: 'binding', open: 1 },
    );
    for (const id of ['a', 'b']) on.add(call(id, { expirationMs: 10 }));
    on.passTime(9_999);
    expect(told).toEqual(['published a', 'published b']);
    expect({ pending: on.pending, ...on.counters }).toMatchObject({ pending: 0, forgotten: 0 });
  });

  it('a call of which an answer may have been skipped is not said to have none; a late one is late', () => {
    const on = pairing();
    on.add(call('before', { t: 1_000, expirationMs: 100 }));
    on.missed(1_050);
    on.add(call('after', { t: 1_060, expirationMs: 100 }));
    on.passTime(1_200);
    expect(ended.map(({ id, state }) => [id, state.name])).toEqual([
      ['before', 'unseen'],
      ['after', 'expired'],
    ]);
    on.add(reply('before', 1_300));
    expect(ended.at(-1)?.state).toMatchObject({ name: 'late', at: 1_300 });
  });

  it('a call, who took it, and its answer', () => {
    const on = pairing();
    for (const record of [call('a'), delivery('a', 1001), reply('a', 1010)]) on.add(record);
    expect(told).toEqual(['published a waiting', 'taken a by server', 'ended a answered']);
    expect(ended[0]).toMatchObject({ topic: 'conductor', server: 'host1', method: 'ping', version: '1.1' });
    expect(on.pending).toBe(0);
  });

  it.each([
    ['its answer', [reply('a', 1010), call('a')]],
    ['its delivery and its answer', [delivery('a', 1001), reply('a', 1010), call('a')]],
  ])('%s may be told before the call', (_what, records) => {
    const on = pairing();
    for (const record of records) on.add(record);
    expect(told.at(0)).toBe('published a waiting');
    expect(told.at(-1)).toBe('ended a answered');
    expect(on.counters).toEqual({ forgotten: 0, unmatchedReplies: 0 });
  });

  it('a failure has its class, module and text', () => {
    const on = pairing();
    on.add(call('a'));
    on.add(reply('a', 1010, { result: null, failure, ending: true }));
    expect(ended[0]?.state).toMatchObject({
      name: 'failed',
      failure: { excType: 'ValueError', module: 'builtins', message: 'no such host' },
    });
  });

  it('a caller that gives up, and the answer that comes too late', () => {
    const on = pairing();
    on.add(call('a', { expirationMs: 500 }));
    on.passTime(1499);
    expect(ended).toEqual([]);
    on.passTime(1500);
    on.passTime(1600);
    on.add(reply('a', 1700));
    expect(told).toEqual(['published a waiting', 'ended a expired', 'ended a late']);
  });

  it('an answer is late by its own time, also where nobody looked at the clock between', () => {
    const on = pairing();
    on.add(call('a', { expirationMs: 500 }));
    on.add(reply('a', 1501));
    expect(told).toEqual(['published a waiting', 'ended a late']);
  });

  it('heartbeats and all values but the last end nothing', () => {
    const on = pairing();
    on.add(call('a'));
    on.add(reply('a', 1001, { result: null, failure: null, ending: false }));
    on.add(reply('a', 1002, { result: 1, failure: null, ending: false }));
    expect(ended).toEqual([]);
    on.add(reply('a', 1003));
    expect(ended).toHaveLength(1);
  });

  it('nobody was there', () => {
    const on = pairing();
    on.add(call('a', { routed: [] }));
    expect(told).toEqual(['published a unroutable']);
    expect(on.pending).toBe(0);
  });

  it('of too many open ones the oldest is forgotten, and counted; its answer finds nobody', () => {
    const on = pairing(2);
    for (const id of ['a', 'b', 'c']) on.add(call(id));
    expect(on.pending).toBe(2);
    expect(on.counters.forgotten).toBe(1);
    on.add(reply('a', 1010));
    on.add(reply('b', 1010));
    expect(ended.map(({ id }) => id)).toEqual(['b']);
  });

  it('of open requests that are too large together the oldest are forgotten, and room comes back with answers', () => {
    const of = (id: string, characters: number): TrafficRecord => {
      const { message, ...record } = call(id);
      return { ...record, message: { ...message, args: { text: 'x'.repeat(characters) } } };
    };
    const on = pairing(undefined, 100_000);
    on.add(of('a', 60_000));
    on.add(reply('a', 1010));
    on.add(of('b', 60_000));
    expect(on.counters.forgotten).toBe(0);
    on.add(of('c', 60_000));
    expect([on.counters.forgotten, on.pending]).toEqual([1, 1]);
    on.add(of('d', 1_000_000));
    expect([on.counters.forgotten, on.pending]).toEqual([3, 0]);
  });

  it('answers to what was sent before are counted, and do not pile up', () => {
    const on = pairing();
    for (let n = 0; n < 1_500; n++) on.add(reply(`x${n}`, 1000));
    expect(on.counters.unmatchedReplies).toBe(500);
  });
});
