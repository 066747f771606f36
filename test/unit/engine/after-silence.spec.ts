import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Subscription } from '../../../lib/broker/broker.js';
import { Engine } from '../../../lib/broker/engine/engine.js';
import type { Link, LinkChannel, LinkProvider } from '../../../lib/broker/link.js';
import { MemoryBus } from '../../../lib/broker/memory/memory-bus.js';
import { MemoryLinks } from '../../../lib/broker/memory/memory-link.js';
import { advanced } from '../../support/virtual-time.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import type { BusConnection } from '../../../lib/broker/memory/bus-connection.js';

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

let bus: MemoryBus;
let engine: Engine;
/** Told of each question for a queue before it is asked. */
let beforeInspection: (link: Link) => void;

function spied(link: Link): Link {
  const { openChannel } = link;
  link.openChannel = async (...request) => {
    const channel: LinkChannel = await openChannel.apply(link, request);
    const { inspectQueue } = channel;
    channel.inspectQueue = (queue) => {
      const answer = inspectQueue.call(channel, queue);
      beforeInspection(link);
      return answer;
    };
    return channel;
  };
  return link;
}

beforeEach(() => {
  vi.useFakeTimers();
  bus = new MemoryBus(true);
  beforeInspection = () => undefined;
  const memory = new MemoryLinks(bus, 'memory://');
  const links: LinkProvider = {
    mayFallSilent: true,
    labelOf: () => 'bus',
    open: async (...request) => spied(await memory.open(...request)),
  };
  const options = resolveRabbitOptions({ livenessTimeoutMs: 2_000, maxHeldBytes: 8_000 });
  engine = new Engine({ links, hosts: [{ hostname: 'bus', port: 0 }], url: 'memory://' }, options);
});
afterEach(() => {
  vi.useRealTimers();
});

function consume(queue: string): Promise<Subscription> {
  const declaration = { kind: 'queue', name: queue, durable: false, autoDelete: false, arguments: {} } as const;
  const request = { topology: [declaration], queues: [queue], own: [queue], prefetch: 10 };
  return engine.consume({ ...request, onDeliveries: () => undefined });
}

function publish(text: string): Promise<void> {
  return engine.publish({ exchange: '', routingKey: 'conductor', body: JSON.stringify(text) });
}

/** Nothing comes any more; both sides notice it after `livenessTimeoutMs`. */
async function fallSilent(connections: readonly BusConnection[]): Promise<void> {
  for (const connection of connections) connection.fallSilent();
  await ms(2_000);
  while (engine.state === 'connected') await ms(100);
  for (const connection of connections) connection.forget();
}

it('a question that ends with its connection refuses no first consumer', async () => {
  const consuming = consume('conductor');
  let outcome = 'pending';
  consuming.then(
    () => (outcome = 'consuming'),
    (error: unknown) => (outcome = String(error)),
  );
  // Connected, but nothing is declared yet.
  bus.delayMs = 5;
  while (bus.connections.length < 2) await ms(1);
  await ms(15);
  await fallSilent(bus.connections as BusConnection[]);
  let asked = 0;
  beforeInspection = (link) => void (asked++ === 0 && link.destroy(new Error('the connection was lost')));
  bus.delayMs = 0;
  await ms(10_000);
  expect(asked).toBeGreaterThan(0);
  expect(outcome).toBe('consuming');
});

it.each(['draining', 'full'])('a subscription that is %s keeps nothing back', async (state) => {
  const subscription = await advanced(consume('conductor'));
  if (state === 'draining') await advanced(subscription.cancel());
  else await advanced(Promise.all(['first', 'second'].map((each) => publish(each.padEnd(5_000)))));
  const [publishing] = bus.connections as BusConnection[];
  await fallSilent([publishing!]);
  const published = vi.fn<() => void>();
  void publish('now').then(published);
  await ms(2_000);
  expect(published).toHaveBeenCalledTimes(1);
});
