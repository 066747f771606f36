import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Engine } from '../../../lib/broker/engine/engine.js';
import type { Link, LinkChannel, LinkProvider } from '../../../lib/broker/link.js';
import { MemoryBus } from '../../../lib/broker/memory/memory-bus.js';
import { MemoryLinks } from '../../../lib/broker/memory/memory-link.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { queue } from '../../behaviour/declarations.js';

/** Receipts come so much later than returns, as on a broker that gathers them. */
const LATE_MS = 100;

function withLateReceipts(link: Link): Link {
  const open = link.openChannel.bind(link);
  link.openChannel = async (...request) => {
    const channel: LinkChannel = await open(...request);
    const publish = channel.publish.bind(channel);
    channel.publish = (message, receipt) =>
      publish(message, (refusal) => void setTimeout(() => receipt(refusal), LATE_MS));
    return channel;
  };
  return link;
}

let bus: MemoryBus;
let broker: Engine;

beforeEach(() => {
  vi.useFakeTimers();
  bus = new MemoryBus();
  const memory = new MemoryLinks(bus, 'memory://');
  const links: LinkProvider = {
    mayFallSilent: false,
    labelOf: () => 'memory://',
    open: async (...request) => withLateReceipts(await memory.open(...request)),
  };
  broker = new Engine({ links, hosts: [{ hostname: 'bus', port: 0 }], url: 'memory://' }, resolveRabbitOptions({}));
});
afterEach(async () => {
  const closing = broker.close();
  await vi.advanceTimersByTimeAsync(10_000);
  await closing;
  vi.useRealTimers();
});

it('a receipt is for the time at which its message was written, not for the next one', async () => {
  bus.declare([queue('known')]);
  const message = { exchange: '', routingKey: 'known', mandatory: true, awaitQueue: true };
  const known = broker.publish({ ...message, body: 'before' });
  await vi.advanceTimersByTimeAsync(500);
  await known;
  bus.deleteQueue('known');
  bus.delayMs = 30;
  let settled = 0;
  const sent = broker.publish({ ...message, body: 'after' }).finally(() => (settled += 1));
  // Returned after 60 ms, written again after 120, returned again after 180; the receipt of the first time comes after 160.
  await vi.advanceTimersByTimeAsync(170);
  expect(settled).toBe(0);
  bus.declare([queue('known')]);
  await vi.advanceTimersByTimeAsync(2_000);
  await sent;
  expect(bus.messagesIn('known').map(({ content }) => `${content}`)).toEqual(['after']);
});
