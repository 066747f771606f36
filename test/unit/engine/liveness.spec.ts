import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Liveness } from '../../../lib/broker/engine/connection/liveness.js';

const timeoutMs = 5_000;

class FakeConnection {
  signsOfLife = 0;
  probes = 0;
  deaths = 0;
  answers = true;
  blocked = false;

  excused = (): boolean => this.blocked;
  dead = (): void => void this.deaths++;
  probe = (): void => {
    this.probes++;
    if (this.answers) this.signsOfLife += 12;
  };
}

describe('Liveness', () => {
  let connection: FakeConnection;

  beforeEach(() => {
    vi.useFakeTimers();
    connection = new FakeConnection();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks nothing while something arrives', async () => {
    const watch = new Liveness(connection, timeoutMs);
    for (let second = 0; second < 60; second++) {
      connection.signsOfLife++;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect([connection.probes, connection.deaths]).toEqual([0, 0]);
    watch.end();
  });

  it('takes an answer for a sign of life, again and again', async () => {
    const watch = new Liveness(connection, timeoutMs);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connection.probes).toBeGreaterThan(5);
    expect(connection.deaths).toBe(0);
    watch.end();
  });

  it('notices silence within the timeout, at whatever moment it begins', async () => {
    for (let offset = 0; offset < 4_000; offset += 130) {
      const mute = new FakeConnection();
      const watch = new Liveness(mute, timeoutMs);
      await vi.advanceTimersByTimeAsync(10_000 + offset);
      mute.signsOfLife++;
      mute.answers = false;
      await vi.advanceTimersByTimeAsync(timeoutMs + 1);
      expect(mute.deaths, `silent from ${offset} ms on`).toBeGreaterThan(0);
      watch.end();
    }
  });

  it('lets a broker that has blocked us be silent', async () => {
    const watch = new Liveness(connection, timeoutMs);
    connection.answers = false;
    connection.blocked = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([connection.probes, connection.deaths]).toEqual([0, 0]);
    watch.end();
  });

  it('blames nobody for a pause of its own process', async () => {
    const watch = new Liveness(connection, timeoutMs);
    connection.answers = false;
    await vi.advanceTimersByTimeAsync(1_700);
    expect(connection.probes).toBe(1);
    expect(watch.heldUp).toBe(false);
    // Suspended, or busy: the clock has gone on, no timer ran, and the answer is not read yet.
    const now = performance.now.bind(performance);
    const paused = vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    await vi.advanceTimersByTimeAsync(1_700);
    expect(connection.deaths).toBe(0);
    expect(watch.heldUp).toBe(true);
    // From here on silence counts as ever.
    await vi.advanceTimersByTimeAsync(timeoutMs);
    expect(connection.deaths).toBeGreaterThan(0);
    expect(watch.heldUp).toBe(false);
    paused.mockRestore();
    watch.end();
  });

  it('is off with 0, and ends', async () => {
    connection.answers = false;
    const watch = new Liveness(connection, 0);
    const ended = new Liveness(connection, timeoutMs);
    ended.end();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([connection.probes, connection.deaths]).toEqual([0, 0]);
    watch.end();
  });
});
