import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { PendingMessage } from '../../../lib/broker/engine/publish/pending-message.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function living(expirationMs: number): PendingMessage {
  return new PendingMessage({ exchange: '', routingKey: 'q', body: '{}', expirationMs }, () => undefined);
}

it('writes the whole life where it is written at once, whole milliseconds rounded up', () => {
  expect(living(60_000).expiration(true)).toBe('60000');
  expect(living(1_500.2).expiration(true)).toBe('1501');
  expect(living(0).expiration(true)).toBe('0');
});

it('takes off what it has waited', () => {
  const pending = living(1_000);
  vi.advanceTimersByTime(400);
  expect(pending.expiration(false)).toBe('600');
  vi.advanceTimersByTime(700);
  expect(pending.expiration(false)).toBe('0');
});

it('writes none where none was asked for, and never more than the broker takes', () => {
  expect(
    new PendingMessage({ exchange: '', routingKey: 'q', body: '{}' }, () => undefined).expiration(true),
  ).toBeUndefined();
  expect(living(Infinity).expiration(true)).toBeUndefined();
  // RabbitMQ's own limit, 2^32 - 1.
  expect(living(1e15).expiration(true)).toBe('4294967295');
});

it('has a try more than retries; without a number it never ends', () => {
  const tries = (retry?: number) => {
    const pending = new PendingMessage({ exchange: '', routingKey: 'q', body: '{}', retry }, () => undefined);
    let count = 1;
    while (count < 100 && pending.useTry()) count++;
    return count;
  };
  expect([tries(0), tries(1), tries(4), tries(-1), tries()]).toEqual([1, 2, 5, 100, 100]);
});
