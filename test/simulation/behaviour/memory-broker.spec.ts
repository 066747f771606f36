import { MemoryBroker } from '../../support/memory-broker.js';
import { MemoryBus } from '../../../lib/broker/memory/memory-bus.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { describeBroker } from '../../behaviour/broker-behaviour.js';

const bus = new MemoryBus();

describeBroker('MemoryBroker', {
  createBroker: (options) => new MemoryBroker(bus, resolveRabbitOptions(options)),
  interrupt: async () => bus.interrupt(),
});
