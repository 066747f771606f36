import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { IncomingNotification } from '../../../lib/notify/incoming-notification.js';
import { NotificationListener } from '../../../lib/notify/notification-listener.js';
import { NotifierCore } from '../../../lib/notify/notifier-core.js';
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

it.each([1, 4])('what is held back leaves room for others, at a prefetch of %i', async (rabbitQosPrefetchCount) => {
  const broker = bus.open({ rabbitQosPrefetchCount });
  const good = vi.fn<() => void>();
  const listener = new NotificationListener(
    broker,
    [
      { priorities: 'info', filter: { eventType: 'bad' }, allowRequeue: true, handler: fail },
      { priorities: 'info', filter: { eventType: 'good' }, handler: good },
    ],
    { requeueBackoffMs: 60_000, requeueBackoffMaxMs: 60_000, requeueLimit: 3 },
  );
  void listener.start();
  await ms(10);
  const notifier = new NotifierCore(broker);
  for (let n = 0; n < 8; n += 1) void notifier.info('bad', {});
  void notifier.info('good', {});
  await ms(1_000);
  expect(good).toHaveBeenCalledTimes(1);
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
