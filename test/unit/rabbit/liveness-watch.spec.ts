import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LivenessWatch } from '../../../lib/broker/rabbit/liveness-watch.js';

const timeoutMs = 5_000;

class FakeLine {
  bytes = 0;
  probes = 0;
  deaths = 0;
  answers = true;
  blocked = false;

  bytesRead = (): number => this.bytes;
  excused = (): boolean => this.blocked;
  dead = (): void => void this.deaths++;
  probe = (): void => {
    this.probes++;
    if (this.answers) this.bytes += 12;
  };
}

describe('LivenessWatch', () => {
  let line: FakeLine;

  beforeEach(() => {
    vi.useFakeTimers();
    line = new FakeLine();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks nothing while something arrives', async () => {
    const watch = new LivenessWatch(line, timeoutMs);
    for (let second = 0; second < 60; second++) {
      line.bytes++;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect([line.probes, line.deaths]).toEqual([0, 0]);
    watch.end();
  });

  it('takes an answer for a sign of life, again and again', async () => {
    const watch = new LivenessWatch(line, timeoutMs);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(line.probes).toBeGreaterThan(5);
    expect(line.deaths).toBe(0);
    watch.end();
  });

  it('notices silence within the timeout, at whatever moment it begins', async () => {
    for (let offset = 0; offset < 4_000; offset += 130) {
      const mute = new FakeLine();
      const watch = new LivenessWatch(mute, timeoutMs);
      await vi.advanceTimersByTimeAsync(10_000 + offset);
      mute.bytes++;
      mute.answers = false;
      await vi.advanceTimersByTimeAsync(timeoutMs + 1);
      expect(mute.deaths, `silent from ${offset} ms on`).toBeGreaterThan(0);
      watch.end();
    }
  });

  it('lets a broker that has blocked us be silent', async () => {
    const watch = new LivenessWatch(line, timeoutMs);
    line.answers = false;
    line.blocked = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([line.probes, line.deaths]).toEqual([0, 0]);
    watch.end();
  });

  it('blames nobody for a pause of its own process', async () => {
    const watch = new LivenessWatch(line, timeoutMs);
    line.answers = false;
    await vi.advanceTimersByTimeAsync(1_700);
    expect(line.probes).toBe(1);
    expect(watch.heldUp).toBe(false);
    // Suspended, or busy: the clock has gone on, no timer ran, and the answer is not read yet.
    const now = performance.now.bind(performance);
    const paused = vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    await vi.advanceTimersByTimeAsync(1_700);
    expect(line.deaths).toBe(0);
    expect(watch.heldUp).toBe(true);
    // From here on silence counts as ever.
    await vi.advanceTimersByTimeAsync(timeoutMs);
    expect(line.deaths).toBeGreaterThan(0);
    expect(watch.heldUp).toBe(false);
    paused.mockRestore();
    watch.end();
  });

  it('is off with 0, and ends', async () => {
    line.answers = false;
    const watch = new LivenessWatch(line, 0);
    const ended = new LivenessWatch(line, timeoutMs);
    ended.end();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([line.probes, line.deaths]).toEqual([0, 0]);
    watch.end();
  });
});
