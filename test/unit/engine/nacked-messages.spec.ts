import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Engine } from '../../../lib/broker/engine/engine.js';
import type { Link, LinkProvider } from '../../../lib/broker/link.js';
import type { BusConnection } from '../../../lib/broker/memory/bus-connection.js';
import { MemoryBus } from '../../../lib/broker/memory/memory-bus.js';
import { MemoryLinks } from '../../../lib/broker/memory/memory-link.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A queue without a majority: what is written to it has no receipt. */
function withoutMajority(link: Link): Link {
  const { openChannel } = link;
  link.openChannel = async (...request) => {
    const channel = await openChannel.apply(link, request);
    const { publish } = channel;
    channel.publish = (message, receipt) =>
      publish.call(channel, message, message.routingKey === 'undecided' ? () => undefined : receipt);
    return channel;
  };
  return link;
}

it('a full queue beside one that confirms nothing takes a bounded number of channels', async () => {
  const bus = new MemoryBus();
  bus.declare([{ kind: 'queue', name: 'full', durable: false, autoDelete: false, arguments: {} }]);
  let isFull = true;
  bus.faults.nacks = ({ routingKey }) => isFull && routingKey === 'full';
  const memory = new MemoryLinks(bus, 'memory://');
  const links: LinkProvider = {
    mayFallSilent: false,
    labelOf: () => 'bus',
    open: async (...request) => withoutMajority(await memory.open(...request)),
  };
  const destination = { links, hosts: [{ hostname: 'bus', port: 0 }], url: 'memory://' };
  const engine = new Engine(destination, resolveRabbitOptions({}));
  const published = vi.fn<() => void>();
  void engine.publish({ exchange: '', routingKey: 'full', body: '{}' }).then(published);
  const openChannels = (): number => (bus.connections[0] as BusConnection).openChannels.length;
  let most = 0;
  for (let second = 0; second < 600; second += 1) {
    void engine.publish({ exchange: '', routingKey: 'undecided', body: '{}' }).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1_000);
    most = Math.max(most, openChannels());
  }
  expect(most).toBeGreaterThan(50);
  expect(most).toBeLessThan(200);
  expect(published).not.toHaveBeenCalled();
  isFull = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(published).toHaveBeenCalledTimes(1);
});
