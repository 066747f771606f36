import { afterEach, expect, it, vi } from 'vitest';
import { BacklogWatch } from '../../../lib/notify/listener/backlog-watch.js';

afterEach(() => void vi.useRealTimers());

it('listeners that hold all they can, and go on doing so, do not keep up; until they have let go of half', () => {
  vi.useFakeTimers();
  const told: boolean[] = [];
  const watch = new BacklogWatch(4, (behind) => told.push(behind));
  watch.holds(4);
  vi.advanceTimersByTime(9_000);
  watch.holds(2);
  watch.holds(4);
  vi.advanceTimersByTime(9_000);
  watch.holds(3);
  watch.holds(4);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1_000);
  watch.holds(3);
  expect(told).toEqual([true]);
  watch.holds(2);
  expect(told).toEqual([true, false]);
});

it('says nothing after its end', () => {
  vi.useFakeTimers();
  const told: boolean[] = [];
  const watch = new BacklogWatch(1, (behind) => told.push(behind));
  watch.holds(1);
  watch.end();
  vi.advanceTimersByTime(20_000);
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
