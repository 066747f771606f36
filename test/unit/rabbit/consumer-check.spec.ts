import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConsumerCheck, type CheckedConsumer } from '../../../lib/broker/rabbit/consumer-check.js';

describe('ConsumerCheck', () => {
  let consumers: Set<CheckedConsumer>;
  let order: string[];
  let check: ConsumerCheck;

  beforeEach(() => {
    vi.useFakeTimers();
    consumers = new Set();
    order = [];
    check = new ConsumerCheck(() => consumers, 30_000);
  });
  afterEach(() => {
    check.end();
    vi.useRealTimers();
  });

  function consumer(name: string, verify: () => Promise<void> = () => Promise.resolve()): CheckedConsumer {
    const made = {
      verify: () => {
        order.push(name);
        return verify();
      },
    };
    consumers.add(made);
    return made;
  }

  it('asks all consumers every 30 s, those too that came later, not those that are gone', async () => {
    const gone = consumer('gone');
    await vi.advanceTimersByTimeAsync(29_999);
    expect(order).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(order).toEqual(['gone']);
    consumers.delete(gone);
    consumer('later');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(order).toEqual(['gone', 'later', 'later']);
  });

  it('never asks two at a time, however slow the broker is', async () => {
    const answers: (() => void)[] = [];
    const slow = (): Promise<void> => new Promise((resolve) => answers.push(resolve));
    consumer('first', slow);
    consumer('second', slow);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(order).toEqual(['first']);
    answers.shift()!();
    await vi.advanceTimersByTimeAsync(300_000);
    expect(order).toEqual(['first', 'second']);
    answers.shift()!();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(order).toEqual(['first', 'second', 'first']);
  });

  it('one that cannot ask is no reason to leave out the others, now or later', async () => {
    consumer('fails', () => Promise.reject(new Error('no line')));
    consumer('works');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(order).toEqual(['fails', 'works', 'fails', 'works']);
  });

  it('asks nobody after its end, in the middle of a round either', async () => {
    consumer('ends', () => Promise.resolve(check.end()));
    consumer('unasked');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(order).toEqual(['ends']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
