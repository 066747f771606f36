import { expect, it, vi } from 'vitest';
import { MalformedMessage, MessageDeliveryFailure, NotifierCore, RemoteError } from '../../../lib/index.js';
import { advanced } from '../../support/virtual-time.js';
import { Gate, TARGET, useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

class TooMuch extends Error {}

it('as many calls wait as may, and more reject at once', async () => {
  const gate = new Gate();
  await on().serve({ wait: () => gate.opened, ping: () => 'pong' });
  const broker = on().broker({ maxPendingCalls: 2 });
  const client = on().client({}, TARGET, broker);
  const waiting = [client.call('wait'), client.call('wait')];
  const refused = client.call('ping');
  await expect(refused).rejects.toBeInstanceOf(MessageDeliveryFailure);
  await expect(refused).rejects.toMatchObject({ retryable: true, message: expect.stringContaining('maxPendingCalls') });
  // It is the connection's reply queue that they share.
  await expect(on().client({}, TARGET, broker).call('ping')).rejects.toBeInstanceOf(MessageDeliveryFailure);
  await client.cast('ping');
  gate.open();
  await Promise.all(waiting);
  expect(await client.call('ping')).toBe('pong');
});

it('what a process sends costs no answer and no heartbeat of its own', async () => {
  const broker = on().broker({ maxInFlightMessages: 5 });
  const sender = on().client({}, { ...TARGET, topic: 'nobody' }, broker);
  const gate = new Gate();
  const burst = (): string => {
    for (let n = 0; n < 20; n += 1) sender.cast('x').catch(() => undefined);
    return 'done';
  };
  const server = on().server([{ methods: { burst, wait: () => gate.opened } }], {}, undefined, broker);
  vi.useFakeTimers();
  await advanced(server.start());
  const client = on().client();
  expect(await advanced(client.call('burst'))).toBe('done');
  expect(on().eventsOf('send-failed')).toHaveLength(15);

  // A heartbeat comes every 500 ms: without them the call would end after 1 s.
  const waiting = client.prepare({ callMonitorTimeout: 1, timeout: 30 }).call('wait');
  const bursts = setInterval(burst, 10);
  await vi.advanceTimersByTimeAsync(2_600);
  expect(client.counters.heartbeats).toBe(5);
  clearInterval(bursts);
  gate.open();
  await advanced(waiting);
  expect(on().eventsOf('reply-dropped')).toEqual([]);
});

it('notifications of a process do not starve its calls, nor calls its notifications', async () => {
  await on().serve({ ping: () => 'pong' });
  const broker = on().broker({ maxInFlightMessages: 5 });
  const notifier = new NotifierCore(broker, { publisherId: 'compute.host1' });
  const client = on().client({}, TARGET, broker);
  await client.call('ping');
  const outcomes = await Promise.allSettled([
    ...Array.from({ length: 8 }, () => notifier.info('a', {})),
    ...Array.from({ length: 5 }, () => client.call('ping')),
  ]);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(3);
  expect(outcomes.slice(8).map(({ status }) => status)).toEqual(Array(5).fill('fulfilled'));
});

it('a request that is too large rejects, and is not sent', async () => {
  const server = await on().serve({ take: () => 'taken' });
  const client = on().client({}, TARGET, on().broker({ maxOutgoingMessageBytes: 1000 }));
  const text = 'x'.repeat(1000);
  for (const sent of [client.call('take', { text }), client.cast('take', { text })]) {
    await expect(sent).rejects.toBeInstanceOf(MalformedMessage);
    await expect(sent).rejects.toMatchObject({ fault: 'caller', message: expect.stringContaining('1000') });
  }
  expect(await client.call('take', { text: 'x' })).toBe('taken');
  expect(server.counters.dispatched).toBe(1);
  expect(client.pendingCalls).toBe(0);
});

it('an answer that is too large becomes a failure', async () => {
  const broker = on().broker({ maxOutgoingMessageBytes: 5000 });
  const methods = {
    large: () => 'x'.repeat(6000),
    fail: () => {
      throw new TooMuch('y'.repeat(6000));
    },
  };
  const server = on().server([{ methods }], {}, { ...TARGET, server: 'host1' }, broker);
  await server.start();
  const client = on().client();
  await expect(client.call('large')).rejects.toMatchObject({
    excType: 'ValueError',
    remoteMessage: expect.stringContaining('maxOutgoingMessageBytes'),
  });
  const failed = client.call('fail');
  await expect(failed).rejects.toBeInstanceOf(RemoteError);
  await expect(failed).rejects.toMatchObject({ excType: 'TooMuch', remoteMessage: 'y'.repeat(1000) });
});

it('what is no id is not remembered', async () => {
  const handled: number[] = [];
  await on().serve({ take: ({ n }: { n: number }) => void handled.push(n) });
  const peer = on().peer();
  for (const uniqueId of ['short', 'x'.repeat(257)]) {
    for (const n of [1, 2]) await peer.cast('take', { args: { n }, _unique_id: uniqueId });
  }
  await expect.poll(() => handled).toEqual([1, 1, 2]);
});
