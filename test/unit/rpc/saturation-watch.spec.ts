import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SaturationWatch } from '../../../lib/rpc/server/saturation-watch.js';

let told: boolean[];
let watch: SaturationWatch;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  watch = new SaturationWatch((saturated) => told.push(saturated));
});
afterEach(() => vi.useRealTimers());

it('tells of ten seconds at a stretch, and of their end', () => {
  watch.full();
  vi.advanceTimersByTime(9_999);
  expect([watch.saturated, told]).toEqual([false, []]);
  vi.advanceTimersByTime(1);
  expect([watch.saturated, told]).toEqual([true, [true]]);
  vi.advanceTimersByTime(60_000);
  watch.free();
  expect([watch.saturated, told]).toEqual([false, [true, false]]);
});

it('tells nothing of slots that are full again and again, and has one timer for them', () => {
  for (let n = 0; n < 100; n += 1) {
    watch.full();
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(900);
    watch.free();
  }
  expect(told).toEqual([]);
});

it('counts a stretch from its own beginning', () => {
  watch.full();
  vi.advanceTimersByTime(5_000);
  watch.free();
  watch.full();
  vi.advanceTimersByTime(9_999);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([true]);
});

it('leaves no timer behind', () => {
  watch.full();
  watch.end();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([]);
});
