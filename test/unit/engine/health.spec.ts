import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '../../../lib/broker/engine/connection/session.js';
import { type CheckedParts, HealthChecks } from '../../../lib/broker/engine/health.js';

interface Checked {
  verify(): Promise<void>;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('HealthChecks of subscriptions', () => {
  let consumers: Set<Checked>;
  let order: string[];
  let check: HealthChecks;

  beforeEach(() => {
    consumers = new Set();
    order = [];
    check = new HealthChecks({ publisher: { awaitedChannel: undefined }, subscriptions: consumers }, 30_000);
  });
  afterEach(() => check.end());

  function consumer(name: string, verify: () => Promise<void> = () => Promise.resolve()): Checked {
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
    consumer('fails', () => Promise.reject(new Error('no connection')));
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

describe('HealthChecks of the channel that publishes', () => {
  const intervalMs = 1_000;

  /** Where messages are unconfirmed on it; how often its connection was given up. */
  function checked(answers: boolean) {
    const giveUp = vi.fn<() => void>();
    const channel = { session: { giveUp } as unknown as Session, answers: () => Promise.resolve(answers) };
    const publisher: { awaitedChannel: CheckedParts['publisher']['awaitedChannel'] } = { awaitedChannel: channel };
    return { giveUp, publisher, health: new HealthChecks({ publisher, subscriptions: [] }, intervalMs) };
  }

  it('give up the connection of one that answers nothing', async () => {
    const { giveUp, health } = checked(false);
    await vi.advanceTimersByTimeAsync(intervalMs);
    expect(giveUp).toHaveBeenCalledTimes(1);
    health.end();
  });

  it('leave one alone that answers, or that nothing is awaited from', async () => {
    const [answering, idle] = [checked(true), checked(false)];
    idle.publisher.awaitedChannel = undefined;
    await vi.advanceTimersByTimeAsync(3 * intervalMs);
    expect(answering.giveUp).not.toHaveBeenCalled();
    expect(idle.giveUp).not.toHaveBeenCalled();
    answering.health.end();
    idle.health.end();
  });

  it('do so once until something is confirmed: if it did not help, the channel is not what is stuck', async () => {
    const { giveUp, health } = checked(false);
    await vi.advanceTimersByTimeAsync(3 * intervalMs);
    expect(giveUp).toHaveBeenCalledTimes(1);
    health.confirmed();
    await vi.advanceTimersByTimeAsync(3 * intervalMs);
    expect(giveUp).toHaveBeenCalledTimes(2);
    health.end();
  });
});
