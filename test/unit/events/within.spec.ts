import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from '../../../lib/events/within.js';

describe('within', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  async function isOverAfter(limitMs: number, elapsedMs: number): Promise<boolean> {
    let over = false;
    void within(limitMs, new Promise(() => undefined)).then(() => (over = true));
    await vi.advanceTimersByTimeAsync(elapsedMs);
    return over;
  }

  it('ends at its limit, and not before', async () => {
    expect(await isOverAfter(100, 99)).toBe(false);
    expect(await isOverAfter(100, 100)).toBe(true);
  });

  // setTimeout takes what is more than 2^31-1 for 1.
  it.each([2_592_000_000, Infinity])('waits for a limit of %d ms as well', async (limitMs) => {
    expect(await isOverAfter(limitMs, 3_600_000)).toBe(false);
  });

  it('ends with the promise, whatever it ends with', async () => {
    await within(100, Promise.reject(new Error('none of ours')));
    await within(100, undefined);
    expect(vi.getTimerCount()).toBe(0);
  });
});
