import { describe, expect, it } from 'vitest';
import { timelineLines } from '../../../lib/cli/traffic/timeline-drawing.js';
import { type Line, painted } from '../../../lib/cli/tone.js';
import type { TimelineSpan } from '../../../lib/observe/traffic/request-timeline.js';

function span(changes: Partial<TimelineSpan>): TimelineSpan {
  return {
    kind: 'call',
    exchange: 'nova',
    topic: 'conductor',
    name: 'ping',
    startMs: 0,
    state: 'answered',
    ...changes,
  };
}

function toned(spans: TimelineSpan[], durationMs: number, columns?: number, omitted = 0): Line[] {
  return timelineLines({ requestId: 'req-1', at: 1_000, durationMs, spans, omitted }, columns);
}

function lines(spans: TimelineSpan[], durationMs: number, columns?: number, omitted = 0): string[] {
  return toned(spans, durationMs, columns, omitted).map((line) => painted(line, false, String));
}

describe('a request is drawn', () => {
  it('with a bar for each message, on one scale: what waits in a queue, and what a server has', () => {
    const spans = [
      span({ takenMs: 250, endMs: 500 }),
      span({ startMs: 500, takenMs: 500, endMs: 1_000, server: 'host1' }),
      span({ kind: 'notification', priority: 'INFO', name: 'a.b', startMs: 1_000, state: 'sent' }),
    ];
    // 2 for the mark, 15 and 4 for the names, 2 behind each; 22 behind the bar.
    expect(lines(spans, 1_000, 2 + 15 + 2 + 4 + 2 + 20 + 22)).toEqual([
      'req-1  1.00 s, 2 calls, 1 notification',
      `${' '.repeat(25)}0 ms          1.00 s`,
      `├ conductor        ping  ░░░░░█████           500 ms`,
      `├ conductor.host1  ping            ██████████ 500 ms`,
      `└ ✉ INFO           a.b                      ▏`,
    ]);
  });

  it.each([
    [{ takenMs: 0, endMs: 1_000, deadlineMs: 500, state: 'late' }, /█{10}┊█{9} 1\.00 s {2}LATE by 500 ms$/],
    [
      { takenMs: 0, deadlineMs: 1_000, queue: 'q', state: 'expired' },
      /█{19}┊ DEADLINE, taken from 'q' and not answered$/,
    ],
    [{ state: 'unroutable' }, /▏ +NOBODY: routed to no queue$/],
    [
      { endMs: 10, state: 'failed', failure: { excType: 'ValueError', module: 'builtins', message: 'no host' } },
      /▎? +10 ms {2}FAIL ValueError: no host$/,
    ],
    [{ endMs: 10, state: 'failed', failure: { excType: 'Boom', module: 'm', message: '' } }, /FAIL Boom$/],
    [{ state: 'waiting', deadlineMs: 900 }, /▏ +no answer seen$/],
  ] as [Partial<TimelineSpan>, RegExp][])('%o', (changes, expected) => {
    expect(lines([span(changes)], 1_000, 60)[2]).toMatch(expected);
  });

  it.each([1, 40, 200])('in %i columns nothing is wider than a long tail makes it', (columns) => {
    const spans = [span({ name: 'x'.repeat(100), topic: 'y'.repeat(100), endMs: 1_000 })];
    for (const line of lines(spans, 1_000, columns)) expect(line.length).toBeLessThanOrEqual(Math.max(columns, 126));
  });

  it.each([
    ['unroutable', 'NOBODY', 'bad'],
    ['expired', 'DEADLINE', 'bad'],
    ['failed', 'FAIL', 'bad'],
    ['late', 'LATE', 'doubtful'],
  ] as const)('%s is toned as %s', (state, word, tone) => {
    expect(toned([span({ state, endMs: 10, deadlineMs: 5 })], 10)[2]).toMatchObject({ word, tone });
  });

  it('says that there is more, and that there is nothing', () => {
    expect(lines([span({})], 0, 80, 7).at(-1)).toBe('└ and 7 more messages');
    expect(timelineLines({ requestId: 'req-1', durationMs: 0, spans: [], omitted: 0 })).toEqual([
      'req-1  nothing was seen of it',
    ]);
  });
});
