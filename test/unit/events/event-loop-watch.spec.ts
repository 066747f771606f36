import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type MessagingEvent } from '../../../lib/index.js';
import { EventChannel } from '../../../lib/events/event-channel.js';
import { EventLoopWatch } from '../../../lib/events/event-loop-watch.js';

describe('EventLoopWatch', () => {
  let events: EventChannel;
  let heard: MessagingEvent[];
  let watch: EventLoopWatch | undefined;
  let offset: number;

  beforeEach(() => {
    vi.useFakeTimers();
    events = new EventChannel();
    heard = [];
    events.subscribe((event) => heard.push(event));
  });
  afterEach(() => {
    watch?.end();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  function startWatch(heartbeatSeconds: number): void {
    offset = 0;
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + offset);
    watch = new EventLoopWatch(heartbeatSeconds, events);
  }

  /** Time passes and no timer fires, as when a handler computes. */
  async function hold(duration: number): Promise<void> {
    offset += duration;
    await vi.advanceTimersByTimeAsync(3000);
  }

  it('warns once of a hold-up longer than half the heartbeat', async () => {
    startWatch(60);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(heard).toEqual([]);
    await hold(35_000);
    expect(heard).toMatchObject([
      { type: 'event-loop-blocked', level: 'warn', blockedMs: 35_000, heartbeatSeconds: 60 },
    ]);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(heard).toHaveLength(1);
  });

  it('says nothing of shorter ones, nor of many of them', async () => {
    startWatch(60);
    for (let round = 0; round < 10; round++) await hold(25_000);
    expect(heard).toEqual([]);
  });

  it('goes by the heartbeat', async () => {
    startWatch(2);
    await hold(900);
    expect(heard).toEqual([]);
    await hold(1100);
    expect(heard).toMatchObject([{ blockedMs: 1100 }]);
  });

  it('does not look without heartbeats, nor after its end', async () => {
    watch = new EventLoopWatch(0, events);
    expect(vi.getTimerCount()).toBe(0);
    startWatch(60);
    watch.end();
    await hold(100_000);
    expect(heard).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
