import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { MessagingEvent } from '../../../lib/index.js';
import { LogFlood } from '../../../lib/events/log-flood.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function unknownReply(n: number): MessagingEvent {
  return { type: 'reply-unmatched', reason: 'unknown', level: 'warn', message: `reply ${n}`, msgId: String(n) };
}

it('thousands of events of one kind are a few lines, and how many more there were', async () => {
  const lines: string[] = [];
  const flood = new LogFlood((line) => lines.push(line));
  const log = (event: MessagingEvent): void => {
    if (flood.admits(event)) lines.push(event.message);
  };
  for (let n = 0; n < 3_000; n++) log(unknownReply(n));
  log({ type: 'ack-lost', level: 'warn', message: 'another kind', queue: 'q' });
  expect(lines).toEqual([...Array.from({ length: 10 }, (_, n) => `reply ${n}`), 'another kind']);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(lines.slice(11)).toEqual(['2990 more of reply-unmatched (unknown) in 10 s, the last: reply 2999']);
  log(unknownReply(1));
  expect(lines.at(-1)).toBe('reply 1');
  expect(vi.getTimerCount()).toBe(0);
});

it('failures of handlers are all written: each is the application’s own', () => {
  const flood = new LogFlood(() => undefined);
  const failed = { type: 'handler-failed', level: 'error', message: 'no', method: 'm', isCall: true, expected: false };
  for (let n = 0; n < 100; n++) expect(flood.admits(failed as MessagingEvent)).toBe(true);
});

it('requests that reach no handler are as many as a peer likes', () => {
  const flood = new LogFlood(() => undefined);
  const failed = { type: 'handler-failed', level: 'warn', message: 'no', method: 'm', isCall: true, expected: false };
  const admitted = Array.from({ length: 100 }, () => flood.admits(failed as MessagingEvent));
  expect(admitted.filter(Boolean)).toHaveLength(10);
});
