import { seamOf } from '../../lib/broker/broker.js';
import { afterAll, beforeAll } from 'vitest';
import { createBroker } from '../../lib/index.js';
import { describeFaults } from '../behaviour/broker-faults.js';
import { AmqpProxy } from '../support/amqp-proxy.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { type RabbitServer, startRabbit } from '../support/rabbit-server.js';

// An alarm concerns everybody on a node.
let server: RabbitServer;
let proxy: AmqpProxy;
beforeAll(async () => {
  server = await startRabbit();
  proxy = await AmqpProxy.start(server);
});
afterAll(() => server.dispose());
const vhost = useVhost({ server: () => server });
afterAll(() => proxy.close());

describeFaults('RabbitBroker', {
  createBroker: (options) => seamOf(createBroker(vhost.urlVia(proxy), options)),
  interrupt: async () => proxy.drop(),
  refuse: () => proxy.refuse(),
  accept: () => proxy.accept(),
  delay: async (ms) => proxy.delay(ms),
  block: async () => {
    await server.admin.memoryAlarm(true);
    // Each connection is told by a message of its own.
    await eventually(async () => (await vhost.listConnections()).every(({ state }) => state !== 'running'));
  },
  unblock: () => server.admin.memoryAlarm(false),
  cancelConsumers: async (queue) => void (await vhost.deleteQueue(queue)),
});
