import { describe, expect, it } from 'vitest';
import { ReconnectPolicy } from '../../../lib/broker/rabbit/reconnect-policy.js';

const least = (): number => 0;
const most = (): number => 1;

describe('ReconnectPolicy', () => {
  it('tries a lost line again after 50 to 100 ms', () => {
    expect(new ReconnectPolicy({}, least).delayMs(0)).toBe(50);
    expect(new ReconnectPolicy({}, most).delayMs(0)).toBe(100);
  });

  it('then waits longer and longer, with full jitter, but never more than a second', () => {
    const longest = [1, 2, 3, 4, 5, 50, 5_000].map((failures) => new ReconnectPolicy({}, most).delayMs(failures));
    expect(longest).toEqual([200, 400, 800, 1_000, 1_000, 1_000, 1_000]);
    expect(new ReconnectPolicy({}, least).delayMs(5)).toBe(0);
  });

  it("follows oslo's linear steps as soon as one of their options is set", () => {
    const interval = new ReconnectPolicy({ rabbitRetryInterval: 3 });
    expect([1, 2, 3, 100].map((failures) => interval.delayMs(failures))).toEqual([3_000, 5_000, 7_000, 30_000]);
    const backoff = new ReconnectPolicy({ rabbitRetryBackoff: 0 });
    expect([1, 2, 3].map((failures) => backoff.delayMs(failures))).toEqual([1_000, 1_000, 1_000]);
    const ceiling = new ReconnectPolicy({ rabbitIntervalMax: 2 });
    expect([1, 2, 3].map((failures) => ceiling.delayMs(failures))).toEqual([1_000, 2_000, 2_000]);
  });

  it("waits kombu's reconnect delay where it is set", () => {
    const policy = new ReconnectPolicy({ kombuReconnectDelay: 4.5 }, least);
    expect([0, 1, 9].map((failures) => policy.delayMs(failures))).toEqual([4_500, 4_500, 4_500]);
    expect(new ReconnectPolicy({ kombuReconnectDelay: 0 }, most).delayMs(0)).toBe(0);
  });

  it('knows whether the user has set how long to wait', () => {
    expect(new ReconnectPolicy({}).isPrescribed).toBe(false);
    expect(new ReconnectPolicy({ kombuReconnectDelay: 0 }).isPrescribed).toBe(true);
    expect(new ReconnectPolicy({ rabbitIntervalMax: 2 }).isPrescribed).toBe(true);
  });
});
