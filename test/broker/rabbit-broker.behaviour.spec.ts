import { seamOf } from '../../lib/broker/broker.js';
import { createBroker } from '../../lib/index.js';
import { describeBroker } from '../behaviour/broker-behaviour.js';
import { useVhost } from '../support/rabbit.js';

const vhost = useVhost();

describeBroker('RabbitBroker', {
  createBroker: (options) => seamOf(createBroker(vhost.url, options)),
  interrupt: async () => {
    await vhost.closeAllConnections();
  },
});
