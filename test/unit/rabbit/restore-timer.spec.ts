import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RestoreTimer } from '../../../lib/broker/rabbit/restore-timer.js';

describe('lost consumers', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('that are told of one shortly after the other are restored together, when all have been told', () => {
    const restore = vi.fn<() => void>();
    const timer = new RestoreTimer(restore);
    // RabbitMQ needs a few milliseconds to tell of several queues that were deleted together.
    for (let loss = 0; loss < 3; loss += 1) {
      timer.soon();
      vi.advanceTimersByTime(10);
      expect(restore).not.toHaveBeenCalled();
    }
    vi.advanceTimersByTime(290);
    expect(restore).toHaveBeenCalledTimes(1);
  });

  it('that nothing restores are so when that is noticed, and no later for being noticed again', () => {
    const restore = vi.fn<() => void>();
    const timer = new RestoreTimer(restore);
    for (let look = 0; look < 3; look += 1) {
      timer.unlessSet();
      vi.advanceTimersByTime(30);
    }
    expect(restore).toHaveBeenCalledTimes(1);
    timer.unlessSet();
    vi.advanceTimersByTime(300);
    expect(restore).toHaveBeenCalledTimes(2);
  });

  it('are not restored after the end', () => {
    const restore = vi.fn<() => void>();
    const timer = new RestoreTimer(restore);
    timer.soon();
    timer.stop();
    timer.later();
    expect(vi.getTimerCount()).toBe(0);
  });
});
