import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type DeadLetter, type IncomingNotification, NotificationListener, NotifierCore } from '../../../lib/index.js';
import { TestBus } from './memory-brokers.js';

let bus: TestBus;
beforeEach(() => {
  vi.useFakeTimers();
  bus = new TestBus();
});
afterEach(async () => {
  const closing = bus.close();
  await ms(100);
  await closing;
  vi.useRealTimers();
});

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);
const fail = (): Promise<never> => Promise.reject(new Error('no'));

const patient = { requeueBackoffMs: 100, requeueBackoffMaxMs: 30_000, requeueLimit: 10 };

/** A listener whose handler fails for what is `bad`, for as long as it is down; and how often each was tried. */
function failing(rabbitQosPrefetchCount: number, dead: string[] = []) {
  const broker = bus.open({ rabbitQosPrefetchCount });
  const state = { down: true, handled: new Set<unknown>(), calls: 0 };
  const handler = ({ payload }: IncomingNotification): void => {
    state.calls += 1;
    const { bad, n } = payload as { bad: boolean; n: number };
    if (bad && state.down) throw new Error('no');
    state.handled.add(n);
  };
  const onDeadLetter = ({ notification }: DeadLetter): void => void dead.push(notification.eventType ?? '');
  const options = { ...patient, onDeadLetter };
  void new NotificationListener(broker, [{ priorities: 'info', allowRequeue: true, handler }], options).start();
  const notifier = new NotifierCore(broker);
  let n = 0;
  const send = (bad: boolean): void => void notifier.info(bad ? 'bad' : 'good', { bad, n: n++ });
  return { state, send, dead };
}

it('what is held back leaves room for others', async () => {
  const { state, send, dead } = failing(4);
  await ms(10);
  for (let n = 0; n < 3; n += 1) send(true);
  await ms(200);
  for (let n = 0; n < 50; n += 1) send(false);
  await ms(500);
  expect(state.handled.size).toBe(50);
  expect(dead).toEqual([]);
});

it.each([
  [1, 1],
  [1, 5],
  [10, 10],
  [10, 100],
])('at a prefetch of %i, an outage of 30 s costs none of %i notifications', async (prefetch, count) => {
  const { state, send, dead } = failing(prefetch);
  await ms(10);
  for (let n = 0; n < count; n += 1) send(true);
  await ms(30_000);
  expect(state.handled.size).toBe(0);
  // At most one in each eighth of the places and 100 ms, beside what is tried in its time.
  expect(state.calls).toBeLessThan(300 + 10 * count);
  state.down = false;
  await ms(60_000);
  expect(state.handled.size).toBe(count);
  expect(dead).toEqual([]);
});

it('what fails for ever ends all the same, however much there is, and what waits behind it is handled', async () => {
  const { state, send, dead } = failing(10);
  await ms(10);
  for (let n = 0; n < 30; n += 1) send(true);
  send(false);
  await ms(600_000);
  expect(dead).toHaveLength(30);
  expect(state.handled.size).toBe(1);
});

it('listeners that do not keep up are reported, and so is that they have caught up', async () => {
  const broker = bus.open({ rabbitQosPrefetchCount: 4 });
  let go!: () => void;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const slow = { priorities: 'info', name: 'Slow.on', handler: () => gate } as const;
  void new NotificationListener(broker, [slow]).start();
  await ms(10);
  const notifier = new NotifierCore(broker);
  for (let n = 0; n < 6; n += 1) void notifier.info('a', {});
  await ms(10_100);
  const behind = { queue: 'notifications.info', behind: true, held: 4, listeners: ['Slow.on'], level: 'warn' };
  expect(bus.reports('listeners-behind')).toMatchObject([behind]);
  go();
  await ms(100);
  expect(bus.reports('listeners-behind')).toMatchObject([behind, { behind: false, level: 'log' }]);
});

it('a failure is told in one line, whatever the event type', async () => {
  const broker = bus.open();
  void new NotificationListener(broker, [{ priorities: 'info', handler: fail }]).start();
  await ms(10);
  void new NotifierCore(broker).info(`a\npassword=hush${'x'.repeat(10_000)}`, {});
  await ms(100);
  const [failed] = bus.reports('handler-failed');
  expect(failed!.message).not.toMatch(/\n|hush/);
  expect(failed!.message.length).toBeLessThan(500);
});

it('a busy batch listener gets what has come meanwhile at once', async () => {
  const broker = bus.open();
  const sizes: number[] = [];
  let go!: () => void;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const handler = async (list: readonly IncomingNotification[]): Promise<void> => {
    sizes.push(list.length);
    await gate;
  };
  void new NotificationListener(broker, [{ priorities: 'info', batch: { size: 4, timeoutMs: 5 }, handler }]).start();
  await ms(10);
  const notifier = new NotifierCore(broker);
  for (let n = 0; n < 7; n += 1) {
    void notifier.info('a', {});
    await ms(15);
  }
  go();
  await ms(100);
  expect(sizes).toEqual([1, 4, 2]);
});

it.each([{ pool: '' }, { pool: 7 }, { exchange: '' }])('refuses %j', (option) => {
  const registration = { priorities: 'info', handler: () => undefined, ...(option as object) } as const;
  expect(() => new NotificationListener(bus.open(), [registration])).toThrow('must be a name');
});
