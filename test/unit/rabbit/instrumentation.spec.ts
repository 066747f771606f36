import { AsyncLocalStorage } from 'node:async_hooks';
import type { Channel, ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { Instrumentation, SeenDeliveries } from '../../../lib/broker/rabbit/instrumentation.js';

function channelWith(verbs: Record<string, unknown>): Channel {
  const methods = { publish() {}, ack() {}, reject() {}, nack() {}, sendMessage() {}, sendImmediately() {} };
  return { ...methods, ...verbs } as unknown as Channel;
}

function message(deliveryTag: number): ConsumeMessage {
  return { fields: { deliveryTag } } as ConsumeMessage;
}

describe('an instrumentation', () => {
  const wrapped = Object.assign(() => undefined, { __wrapped: true });

  it('may be there until a channel shows that it is not', () => {
    const instrumentation = new Instrumentation();
    expect(instrumentation.mayLook).toBe(true);
    expect(instrumentation.looksAt(channelWith({}))).toBe(false);
    expect(instrumentation.mayLook).toBe(false);
  });

  it.each(['publish', 'ack', 'reject', 'nack', 'sendMessage', 'sendImmediately'])(
    'is there where it wraps %s',
    (verb) => {
      const instrumentation = new Instrumentation();
      expect(instrumentation.looksAt(channelWith({ [verb]: wrapped }))).toBe(true);
      expect(instrumentation.mayLook).toBe(true);
    },
  );
});

describe('deliveries that are seen', () => {
  it('are settled once, each as the very object that came', () => {
    const seen = new SeenDeliveries();
    const [first, second] = [message(1), message(2)];
    seen.keep(first);
    seen.keep(second);
    expect(seen.settle(2, false)).toBe(second);
    expect(seen.settle(2, false)).toBeUndefined();
    expect(seen.settle(1, false)).toBe(first);
  });

  it('are settled together with all that came before, and with none that came later', () => {
    const seen = new SeenDeliveries();
    const messages = [1, 2, 3, 4].map(message);
    for (const one of messages) seen.keep(one);
    expect(seen.settle(3, true)).toBe(messages[2]);
    expect([1, 2, 3].map((tag) => seen.settle(tag, false))).toEqual([undefined, undefined, undefined]);
    expect(seen.settle(4, false)).toBe(messages[3]);
  });

  it('have their own context, and leave none behind', () => {
    const store = new AsyncLocalStorage<string>();
    const seen = new SeenDeliveries();
    const found: (string | undefined)[] = [];
    const inContext = store.run('of the message', () => {
      const kept = seen.keep(message(1));
      seen.outside(() => void found.push(store.getStore()));
      return kept;
    });
    found.push(inContext(() => store.getStore()));
    expect(found).toEqual([undefined, 'of the message']);
  });
});
