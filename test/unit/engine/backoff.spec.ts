import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../lib/broker/engine/connection/backoff.js';

const least = (): number => 0;
const most = (): number => 1;

describe('Backoff', () => {
  it('tries a lost line again after 50 to 100 ms', () => {
    expect(new Backoff({}, least).delayMs(0)).toBe(50);
    expect(new Backoff({}, most).delayMs(0)).toBe(100);
  });

  it('then waits longer and longer, with full jitter, but never more than a second', () => {
    const longest = [1, 2, 3, 4, 5, 50, 5_000].map((failures) => new Backoff({}, most).delayMs(failures));
    expect(longest).toEqual([200, 400, 800, 1_000, 1_000, 1_000, 1_000]);
    expect(new Backoff({}, least).delayMs(5)).toBe(0);
  });

  it('waits longer in a long outage, and with many others in one process, up to 10 s', () => {
    const longest = (ms: number, neighbours: number): number => new Backoff({}, most).delayMs(9, { ms, neighbours });
    expect([500, 1_000, 3_000, 60_000].map((ms) => longest(ms, 0))).toEqual([1_000, 1_000, 3_000, 10_000]);
    expect(new Backoff({}, least).delayMs(9, { ms: 3_000, neighbours: 0 })).toBe(1_500);
    expect([1, 25, 100, 2_000].map((neighbours) => longest(0, neighbours))).toEqual([1_000, 1_000, 4_000, 10_000]);
  });

  it('doubles the pauses after refused logins, from a second to 30 s', () => {
    const longest = [1, 2, 3, 4, 5, 6, 50].map((refusals) => new Backoff({}, most).refusedDelayMs(refusals));
    expect(longest).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(new Backoff({}, least).refusedDelayMs(1)).toBe(500);
    expect(new Backoff({ rabbitRetryInterval: 3 }).refusedDelayMs(2)).toBe(5_000);
  });

  it("follows oslo's linear steps as soon as one of their options is set", () => {
    const interval = new Backoff({ rabbitRetryInterval: 3 });
    expect([1, 2, 3, 100].map((failures) => interval.delayMs(failures))).toEqual([3_000, 5_000, 7_000, 30_000]);
    const backoff = new Backoff({ rabbitRetryBackoff: 0 });
    expect([1, 2, 3].map((failures) => backoff.delayMs(failures))).toEqual([1_000, 1_000, 1_000]);
    const ceiling = new Backoff({ rabbitIntervalMax: 2 });
    expect([1, 2, 3].map((failures) => ceiling.delayMs(failures))).toEqual([1_000, 2_000, 2_000]);
  });

  it("waits kombu's reconnect delay where it is set", () => {
    const policy = new Backoff({ kombuReconnectDelay: 4.5 }, least);
    expect([0, 1, 9].map((failures) => policy.delayMs(failures))).toEqual([4_500, 4_500, 4_500]);
    expect(new Backoff({ kombuReconnectDelay: 0 }, most).delayMs(0)).toBe(0);
  });

  it('knows whether the user has set how long to wait', () => {
    expect(new Backoff({}).isPrescribed).toBe(false);
    expect(new Backoff({ kombuReconnectDelay: 0 }).isPrescribed).toBe(true);
    expect(new Backoff({ rabbitIntervalMax: 2 }).isPrescribed).toBe(true);
  });
});

describe('clients of a broker that is down', () => {
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

  /** When a client tries after `downMs`, and how often it has tried before. */
  function comesBack(downMs: number, neighbours: number): { attempts: number; afterMs: number } {
    const policy = new Backoff({}, random);
    let [atMs, attempts] = [policy.delayMs(0), 0];
    while (atMs < downMs) {
      attempts += 1;
      atMs += policy.delayMs(attempts, { ms: atMs, neighbours });
    }
    return { attempts, afterMs: atMs - downMs };
  }

  it.each([2_000, 100, 1])(
    '2 000 of them, %d in a process, make under 1 000 attempts a second in 20 s; all are back within 15 s',
    (together) => {
      const clients = Array.from({ length: 2_000 }, () => comesBack(20_000, together - 1));
      const attempts = clients.reduce((sum, client) => sum + client.attempts, 0);
      expect(attempts / 20).toBeLessThan(1_000);
      expect(Math.max(...clients.map(({ afterMs }) => afterMs))).toBeLessThan(15_000);
      const perSecond = Array.from({ length: 15 }, (_, second) =>
        clients.filter(({ afterMs }) => Math.floor(afterMs / 1_000) === second),
      );
      expect(Math.max(...perSecond.map(({ length }) => length))).toBeLessThan(500);
    },
  );

  it.each([100, 300, 1_000])('one alone is back within a second after %d ms', (downMs) => {
    const delays = Array.from({ length: 2_000 }, () => comesBack(downMs, 1).afterMs);
    expect(Math.max(...delays)).toBeLessThan(1_000);
  });
});
