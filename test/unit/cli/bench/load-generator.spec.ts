import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  LoadGenerator,
  type LoadPlan,
  type MeasuredRequest,
  MOST_IN_FLIGHT,
  type RequestEnd,
} from '../../../../lib/cli/bench/load-generator.js';
import { advanced } from '../../../support/virtual-time.js';

const never = new AbortController().signal;

describe('a load', () => {
  let measured: MeasuredRequest[];
  /** When requests were sent, on the clock of the load. */
  let sentAt: number[];
  let begunAt: number;
  const now = (): number => performance.now() - begunAt;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
    [measured, sentAt, begunAt] = [[], [], performance.now()];
  });
  afterEach(() => vi.useRealTimers());

  /** `answerMs`: after so long, by the time at which it was sent. */
  const load = (plan: Partial<LoadPlan>, answerMs: (at: number) => number | RequestEnd) =>
    new LoadGenerator({
      model: { name: 'open', perSecond: 100 },
      warmupMs: 0,
      durationMs: Infinity,
      count: Infinity,
      send: () => {
        sentAt.push(now());
        const end = answerMs(now());
        if (typeof end !== 'number') return Promise.resolve(end);
        return new Promise((resolve) => setTimeout(() => resolve({ outcome: 'answered' }), end));
      },
      measured: (request) => measured.push(request),
      now,
      ...plan,
    });
  const latencies = (): number[] => measured.map(({ latencyMs }) => Math.round(latencyMs));
  const finished = (run: Promise<unknown>): Promise<unknown> => advanced(run, 10_000);

  it('in the open model takes as long as its schedule, so that its rate is the one that was asked for', async () => {
    const { elapsedMs } = await advanced(load({ durationMs: 1_000 }, () => 1).run(never), 3_000);
    expect(measured).toHaveLength(100);
    expect(elapsedMs).toBe(1_000);
    const slow = await advanced(load({ durationMs: 1_000 }, () => 200).run(never), 3_000);
    expect(slow.elapsedMs).toBe(1_190);
  });

  it('that is interrupted waits for no more answers, and what has none does not count', async () => {
    const interruption = new AbortController();
    const send: LoadPlan['send'] = (signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ outcome: 'interrupted' })));
    let span: object | undefined;
    const model = { name: 'closed', concurrency: 3 } as const;
    void load({ model, send }, () => 0)
      .run(interruption.signal)
      .then((ended) => (span = ended));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(span).toBeUndefined();
    interruption.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(span).toBeDefined();
    expect(measured).toEqual([]);
  });

  it('that is open sends at its times, whatever becomes of those before', async () => {
    await finished(load({ count: 5 }, () => 1_000).run(never));
    expect(sentAt.map(Math.round)).toEqual([0, 10, 20, 30, 40]);
    expect(latencies()).toEqual([1_000, 1_000, 1_000, 1_000, 1_000]);
  });

  it('that is closed sends when an answer is there', async () => {
    await finished(load({ model: { name: 'closed', concurrency: 2 }, count: 6 }, () => 50).run(never));
    expect(sentAt.map(Math.round)).toEqual([0, 0, 50, 50, 100, 100]);
    expect(latencies()).toEqual([50, 50, 50, 50, 50, 50]);
  });

  it('a server that stalls shows in all requests that should have gone out meanwhile', async () => {
    // Nothing is answered before 1 000 ms: a hundred requests are due until then.
    const stalls = (at: number): number => Math.max(1, 1_000 - at);
    await finished(load({ durationMs: 2_000 }, stalls).run(never));
    expect(latencies()).toHaveLength(200);
    expect(latencies().filter((ms) => ms > 500)).toHaveLength(50);
    measured = [];
    begunAt = performance.now();
    await finished(load({ durationMs: 2_000, model: { name: 'closed', concurrency: 1 } }, stalls).run(never));
    // The closed one waits for the first of them, and has seen a single slow request.
    expect(latencies().filter((ms) => ms > 500)).toHaveLength(1);
  });

  it('of which we are late ourselves counts that, and tells it apart', async () => {
    // The process stands still for 300 ms once: timers are as late.
    let stood = 0;
    const sleep = (ms: number): Promise<void> => {
      const late = stood++ === 10 ? 300 : 0;
      return new Promise((resolve) => setTimeout(resolve, Math.ceil(ms + late)));
    };
    await finished(load({ count: 50, sleep }, () => 5).run(never));
    const late = measured.filter(({ behindMs }) => behindMs > 1);
    expect(late).toHaveLength(30);
    for (const { latencyMs, behindMs } of measured) expect(Math.round(latencyMs - behindMs)).toBe(5);
    expect(Math.round(Math.max(...measured.map(({ behindMs }) => behindMs)))).toBe(300);
  });

  it.each(['open', 'closed'] as const)('what is sent in the warm-up does not count (%s)', async (name) => {
    const model = name === 'open' ? { name, perSecond: 100 } : { name, concurrency: 1 };
    const generator = load({ model, warmupMs: 100, durationMs: 200 }, () => 10);
    let span: { elapsedMs: number } | undefined;
    await finished(generator.run(never).then((done) => (span = done)));
    expect({ sent: sentAt.length, counted: measured.length }).toEqual({ sent: 30, counted: 20 });
    expect(Math.round(span!.elapsedMs)).toBe(200);
  });

  it('several processes share one schedule', async () => {
    const half = { model: { name: 'open', perSecond: 50 }, count: 3 } as const;
    await finished(Promise.all([load(half, () => 1).run(never), load({ ...half, offsetMs: 10 }, () => 1).run(never)]));
    expect(sentAt.map(Math.round)).toEqual([0, 10, 20, 30, 40, 50]);
  });

  it.each([
    ['open', { name: 'open', perSecond: 0.1 }],
    ['closed', { name: 'closed', concurrency: 1 }],
  ] as const)('is interrupted in order (%s): what was sent is awaited', async (_name, model) => {
    const interruption = new AbortController();
    setTimeout(() => interruption.abort(), 15);
    await finished(load({ model }, () => 40).run(interruption.signal));
    expect({ sentAt, latencies: latencies() }).toEqual({ sentAt: [0], latencies: [40] });
    expect(now()).toBeLessThan(1_000);
  });

  it('holds so many in flight, and counts what it could not send', async () => {
    const answers: (() => void)[] = [];
    const generator = load(
      {
        model: { name: 'open', perSecond: 100_000 },
        durationMs: 250,
        send: () => new Promise((resolve) => answers.push(() => resolve({ outcome: 'answered' }))),
      },
      () => 0,
    );
    const running = generator.run(never);
    await vi.advanceTimersByTimeAsync(260);
    expect(generator.inFlight).toBe(MOST_IN_FLIGHT);
    for (const answer of answers) answer();
    await finished(running);
    expect(measured.filter(({ outcome }) => outcome === 'unsent')).toHaveLength(25_000 - MOST_IN_FLIGHT);
  });

  it('failures are told with their reason', async () => {
    await finished(load({ count: 1 }, () => ({ outcome: 'failed', reason: 'no such host' })).run(never));
    expect(measured).toEqual([{ outcome: 'failed', reason: 'no such host', latencyMs: 0, behindMs: 0 }]);
  });
});
