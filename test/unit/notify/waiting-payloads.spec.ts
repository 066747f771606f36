import { expect, it, vi } from 'vitest';
import { type AroundHook, NotifierCore, type NotifierOptions } from '../../../lib/index.js';

import { stillKept } from '../../support/garbage.js';
import { TestBus } from './memory-brokers.js';

/** Waits inside, as tracing does. */
const waiting: AroundHook = {
  aroundSend: <T>(_: unknown, next: () => T) => (async () => await next())() as T,
};

const ways: [string, NotifierOptions][] = [
  ['by one driver', {}],
  ['by two drivers', { driver: ['messaging', 'messagingv2'] }],
  ['to two topics', { topics: ['one', 'other'] }],
  ['inside hooks', { hooks: [waiting, waiting] }],
  ['by rules', { driver: 'routing', routingConfig: { group: { messaging: {}, messagingv2: {} } } }],
];

/** Nothing here may hold a payload: it would be kept for the test's own sake. */
function sendPayloads(notifier: NotifierCore): WeakRef<object>[] {
  return Array.from({ length: 10 }, (_, n) => {
    const payload = { instance: { n } };
    void notifier.info('a', payload);
    return new WeakRef(payload);
  });
}

it.each(ways)('of what waits for its confirm, sent %s, only the body is kept', async (_, options) => {
  const broker = new TestBus().open();
  const publish = vi.spyOn(broker, 'publish').mockReturnValue(new Promise(() => undefined));
  const notifier = new NotifierCore(broker, options);
  const payloads = sendPayloads(notifier);
  expect(await stillKept(payloads)).toBe(0);
  expect(notifier.pending).toBe(10);
  expect(publish.mock.calls.every(([{ body }]) => body.includes('instance'))).toBe(true);
});

it('a driver of one’s own keeps what it wants', async () => {
  const notify = vi.fn<() => Promise<void>>(() => new Promise(() => undefined));
  expect(await stillKept(sendPayloads(new NotifierCore(undefined, { driver: { notify } })))).toBe(10);
});
