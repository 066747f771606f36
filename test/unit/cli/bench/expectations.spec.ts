import { describe, expect, it } from 'vitest';
import { checked, expectations } from '../../../../lib/cli/bench/expectations.js';
import { LoadTally } from '../../../../lib/cli/bench/load-tally.js';
import { shareOf } from '../../../../lib/cli/bench/bench-processes.js';
import { UsageError } from '../../../../lib/cli/exit-codes.js';
import { byteSize, ratePerSecond } from '../../../../lib/cli/option-values.js';

/** 98 answers after 1 to 98 ms, one failure after 99 ms, one timeout after 1 s. */
function tally(): LoadTally {
  const all = new LoadTally();
  for (let ms = 1; ms <= 98; ms += 1) all.add({ outcome: 'answered', latencyMs: ms, behindMs: 0.1 });
  all.add({ outcome: 'failed', reason: 'no such host', latencyMs: 99, behindMs: 0.1 });
  all.add({ outcome: 'timed out', latencyMs: 1_000, behindMs: 0.1 });
  return all;
}

describe('what is expected of a load', () => {
  it.each([
    ['p50<=51ms', true],
    ['p50<49ms', false],
    ['p99<100ms', true],
    ['p99.9<1', false],
    ['p99.9<1.01', true],
    ['max>=1s', true],
    ['min>0.9ms', true],
    ['mean<100ms', true],
    ['errors=2', true],
    ['errors=0', false],
    ['errors<=2%', true],
    ['errors<2%', false],
    ['failed=1', true],
    ['timeouts=1', true],
    ['unsent=0', true],
    ['sent=100', true],
    ['answered>=98%', true],
    ['rate>=480/s', true],
    ['rate>500', false],
  ])('%s: %s', (text, met) => {
    expect(checked(expectations(text), tally(), 490)).toEqual([
      { text, met, actual: expect.any(Number), unit: expect.any(String) },
    ]);
  });

  it.each([
    ['p99<1s', 'ms'],
    ['rate>1/s', '/s'],
    ['answered>=98%', '%'],
    ['errors=0', ''],
  ])('%s is told in %j', (text, unit) => expect(checked(expectations(text), tally(), 490)).toMatchObject([{ unit }]));

  it('several are checked each', () => {
    expect(checked(expectations('p50<1s, errors=0'), tally(), 490).map(({ met }) => met)).toEqual([true, false]);
  });

  it('nothing is fast where nothing was sent', () => {
    expect(checked(expectations('p99<1s,errors=0'), new LoadTally(), 0).map(({ met }) => met)).toEqual([false, true]);
  });

  it.each([
    '',
    'p99',
    'p99<',
    'p100<1s',
    'p99<fast',
    'p99~1s',
    'speed>1',
    'errors=x',
    'rate=1/m',
    'constructor=1',
    'a=1,,b=2',
  ])("'%s' is refused", (text) => expect(() => expectations(text)).toThrow(UsageError));
});

describe('the tally of a load', () => {
  it('a request that has timed out counts with the time that it has waited', () => {
    const { latencies, outcomes, sent, reasons } = tally();
    expect(sent).toBe(100);
    expect(outcomes).toEqual({ answered: 98, failed: 1, 'timed out': 1, unsent: 0 });
    expect(latencies.max).toBeCloseTo(1_000, -1);
    expect(latencies.p90).toBeCloseTo(90, 0);
    expect([...reasons]).toEqual([['no such host', 1]]);
  });

  it('keeps three digits, and the picture has both ends', () => {
    const all = new LoadTally();
    all.add({ outcome: 'answered', latencyMs: 0.1234, behindMs: 0 });
    all.add({ outcome: 'answered', latencyMs: 12_345, behindMs: 0 });
    expect(all.latencies.min).toBeCloseTo(0.123, 3);
    expect(Math.abs(all.latencies.max - 12_345)).toBeLessThan(13);
    expect(all.picture()).toMatch(/^0\.\d\d ms █ +█ 13335 ms$/);
    expect(new LoadTally().picture()).toBe('');
  });

  it('kinds of failures are bounded', () => {
    const all = new LoadTally();
    for (let n = 0; n < 1_000; n += 1) all.add({ outcome: 'failed', reason: `id ${n}`, latencyMs: 1, behindMs: 0 });
    expect(all.reasons.size).toBe(20);
    expect(all.outcomes.failed).toBe(1_000);
  });
});

it('what several processes send together is what was asked for', () => {
  for (const [total, of] of [
    [10, 3],
    [3, 3],
    [7, 4],
  ] as const) {
    const shares = Array.from({ length: of }, (_, index) => shareOf(total, { index, of }));
    expect(shares.reduce((sum, share) => sum + share)).toBe(total);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
  }
});

it('rates and sizes are read', () => {
  expect(['500/s', '500', '0.5/s'].map(ratePerSecond)).toEqual([500, 500, 0.5]);
  expect(['100B', '100', '10KiB', '1MiB'].map(byteSize)).toEqual([100, 100, 10_240, 1_048_576]);
  for (const text of ['', '0', '-1', '1/m', '1e3', '200000/s']) expect(() => ratePerSecond(text)).toThrow(UsageError);
  for (const text of ['', '-1', '1kB', '65MiB', '1.5KiB']) expect(() => byteSize(text)).toThrow(UsageError);
});
