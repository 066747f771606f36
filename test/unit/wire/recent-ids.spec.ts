import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RecentIds } from '../../../lib/wire/recent-ids.js';

describe('the memory of ids', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('knows far more than Python’s last 16', () => {
    const filter = new RecentIds();
    for (let id = 0; id < 10_000; id += 1) filter.add(String(id));
    expect(filter.has('0')).toBe(true);
    expect(filter.has('10000')).toBe(false);
  });

  it('is bounded in number', () => {
    const filter = new RecentIds(1000, 10);
    for (let id = 0; id < 35; id += 1) filter.add(String(id));
    expect(filter.has('34')).toBe(true);
    expect(filter.has('25')).toBe(true);
    expect(filter.has('5')).toBe(false);
  });

  it('is bounded in time', () => {
    const filter = new RecentIds(1000, 10);
    filter.add('a');
    vi.advanceTimersByTime(999);
    expect(filter.has('a')).toBe(true);
    vi.advanceTimersByTime(1002);
    expect(filter.has('a')).toBe(false);
  });

  it('forgets all after a long silence', () => {
    const filter = new RecentIds(1000, 10);
    filter.add('a');
    vi.advanceTimersByTime(5000);
    expect(filter.has('a')).toBe(false);
  });
});
