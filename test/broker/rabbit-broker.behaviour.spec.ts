import { createBroker } from '../../lib/index.js';
import { describeBroker } from '../behaviour/broker-behaviour.js';
import { useVhost } from '../support/rabbit.js';

const vhost = useVhost();

describeBroker('RabbitBroker', {
  createBroker: (options) => createBroker(vhost.url, options),
  interrupt: async () => {
    await vhost.closeAllConnections();
  },
});
