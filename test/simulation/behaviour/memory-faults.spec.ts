import { seamOf } from '../../../lib/broker/broker.js';
import { afterAll } from 'vitest';
import { createBroker } from '../../../lib/index.js';
import { createMemoryBus } from '../../../lib/testing/index.js';
import { describeFaults } from '../../behaviour/broker-faults.js';

const bus = createMemoryBus();
afterAll(() => bus.close());

describeFaults('MemoryBroker', {
  createBroker: (options) => seamOf(createBroker(bus.url, options)),
  interrupt: async () => bus.dropConnection(),
  refuse: async () => bus.refuse(),
  accept: async () => bus.accept(),
  delay: async (ms) => bus.delay(ms),
  block: async () => bus.block(),
  unblock: async () => bus.unblock(),
  cancelConsumers: async (queue) => bus.cancelConsumer(queue),
});
