import { queueIn } from '../../../support/memory-broker.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BrokerRefusal } from '../../../../lib/broker/link.js';
import { MemoryBus } from '../../../../lib/broker/memory/memory-bus.js';
import { binding, exchange, queue } from '../../../behaviour/declarations.js';

describe('MemoryBus', () => {
  afterEach(() => void vi.useRealTimers());

  it('compares those queue arguments that RabbitMQ compares', () => {
    const bus = new MemoryBus();
    bus.declare([queue('q', { arguments: { 'x-queue-type': 'quorum', 'x-ha-policy': 'all' }, durable: true })]);
    bus.declare([queue('q', { arguments: { 'x-queue-type': 'quorum' }, durable: true })]);
    expect(() => bus.declare([queue('q', { durable: true })])).toThrow(BrokerRefusal);
    expect(() => bus.declare([queue('q', { durable: true })])).toThrow(
      "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'none' but current is 'quorum'",
    );
  });

  it('says what a binding lacks', () => {
    const bus = new MemoryBus();
    bus.declare([queue('q'), exchange('e')]);
    expect(() => bus.declare([binding('q', 'missing', 'x')])).toThrow("NOT_FOUND - no exchange 'missing'");
    expect(() => bus.declare([binding('missing', 'e', 'x')])).toThrow("NOT_FOUND - no queue 'missing'");
  });

  it('keeps an expiring queue as long as somebody looks at it or declares it', () => {
    vi.useFakeTimers();
    const bus = new MemoryBus();
    const declared = [queue('q', { arguments: { 'x-expires': 1_000 } })];
    bus.declare(declared);
    vi.advanceTimersByTime(999);
    expect(queueIn(bus, 'q')).toEqual({ messages: 0, consumers: 0 });
    vi.advanceTimersByTime(999);
    bus.declare(declared);
    vi.advanceTimersByTime(999);
    expect(queueIn(bus, 'q')).toBeDefined();
    vi.advanceTimersByTime(1_000);
    expect(queueIn(bus, 'q')).toBeUndefined();
  });

  it('does not keep the process alive', () => {
    const before = process.getActiveResourcesInfo();
    new MemoryBus().declare([queue('q', { arguments: { 'x-expires': 1_800_000 } })]);
    expect(process.getActiveResourcesInfo()).toEqual(before);
  });

  it('does not take a very long expiry for a very short one', () => {
    vi.useFakeTimers();
    const bus = new MemoryBus();
    bus.declare([queue('q', { arguments: { 'x-expires': 2 ** 32 - 1 } })]);
    vi.advanceTimersByTime(1_000);
    expect(queueIn(bus, 'q')).toBeDefined();
  });
});
