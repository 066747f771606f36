import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StreamEnd, type StreamEndOptions } from '../../../lib/cli/traffic/stream-end.js';

describe('a stream ends', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function running(options: StreamEndOptions, interruption = new AbortController()) {
    const end = new StreamEnd(options, interruption.signal);
    let isOver = false;
    void end.reached().then(() => (isOver = true));
    return { end, interruption, isOver: () => isOver };
  }

  it('after so many results, at once', async () => {
    const { end, isOver } = running({ count: 2 });
    end.countOne();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([isOver(), end.isFull]).toEqual([false, false]);
    end.countOne();
    await vi.advanceTimersByTimeAsync(0);
    expect([isOver(), end.isFull]).toEqual([true, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('after a time, whatever comes', async () => {
    const { end, isOver } = running({ for: 1_000 });
    await vi.advanceTimersByTimeAsync(900);
    end.notIdle();
    expect(isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(100);
    expect(isOver()).toBe(true);
  });

  it('when nothing has come for a time', async () => {
    const { end, isOver } = running({ untilIdle: 1_000 });
    for (let n = 0; n < 5; n++) {
      await vi.advanceTimersByTimeAsync(900);
      end.notIdle();
    }
    expect(isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(isOver()).toBe(true);
  });

  it('not for a time in which our process stood still, and could not see what has come', async () => {
    const { isOver } = running({ untilIdle: 1_000 });
    await vi.advanceTimersByTimeAsync(500);
    vi.setSystemTime(Date.now() + 60_000);
    await vi.advanceTimersByTimeAsync(400);
    expect(isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(isOver()).toBe(true);
  });

  it('and tells a time in which our process stood still only when what came meanwhile could be read', async () => {
    const times: number[] = [];
    const { signal } = new AbortController();
    const over = new StreamEnd({ for: 1_000 }, signal).reached((now) => times.push(now));
    const standsStillUntil = Date.now() + 60_000;
    vi.setSystemTime(standsStillUntil);
    await vi.advanceTimersByTimeAsync(100);
    expect(times).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(times).toEqual([standsStillUntil + 200]);
    await over;
  });

  it('when it is interrupted, also before it has begun', async () => {
    const { interruption, isOver } = running({});
    await vi.advanceTimersByTimeAsync(60_000);
    expect(isOver()).toBe(false);
    interruption.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(isOver()).toBe(true);
    const late = running({}, interruption);
    await vi.advanceTimersByTimeAsync(0);
    expect(late.isOver()).toBe(true);
  });

  it('and tells the time until then', async () => {
    const times: number[] = [];
    const over = new StreamEnd({ for: 300 }, new AbortController().signal).reached((now) => times.push(now));
    await vi.advanceTimersByTimeAsync(300);
    await over;
    expect(times).toHaveLength(3);
  });
});
