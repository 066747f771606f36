import { expect, it, vi } from 'vitest';
import { MemoryBroker } from '../../../support/memory-broker.js';
import { MemoryBus } from '../../../../lib/broker/memory/memory-bus.js';
import { resolveRabbitOptions } from '../../../../lib/config/rabbit-options.js';
import { queue } from '../../../behaviour/declarations.js';

/** What keeps this thread's event loop alive. */
function held(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => kind === 'MessagePort')
    .toSorted();
}

it('who consumes holds its process, until it is closed; who does not, does not', async () => {
  const before = held();
  const bus = new MemoryBus();
  const broker = new MemoryBroker(bus, resolveRabbitOptions({}));
  await broker.connected();
  expect(held()).toEqual(before);
  const consume = () =>
    broker.consume({ topology: [queue('q')], queues: ['q'], prefetch: 0, onDeliveries: () => undefined });
  const subscription = await consume();
  expect(held()).toEqual([...before, 'MessagePort']);
  bus.interrupt();
  // The next attempt to connect does; then its consumer again.
  expect(process.getActiveResourcesInfo()).toContain('Timeout');
  await vi.waitUntil(() => subscription.consuming && held().length === before.length + 1);
  await subscription.close();
  await vi.waitUntil(() => held().length === before.length);
  await consume();
  expect(held()).toEqual([...before, 'MessagePort']);
  await broker.close();
  await vi.waitUntil(() => held().length === before.length);
});

it('a consumer that was refused holds nothing', async () => {
  const before = held();
  const bus = new MemoryBus();
  bus.declare([queue('q', { durable: false })]);
  bus.declare([queue('other', { autoDelete: true })]);
  const broker = new MemoryBroker(bus, resolveRabbitOptions({}));
  const topology = [queue('q', { durable: false }), queue('other')];
  const consuming = broker.consume({ topology, queues: ['q', 'other'], prefetch: 0, onDeliveries: () => undefined });
  await expect(consuming).rejects.toThrow("'other' exists with other properties");
  await vi.waitUntil(() => held().length === before.length);
  await broker.close();
});
