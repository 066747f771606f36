import { connectBroker, RpcClient, RpcServer } from 'nestjs-oslo-messaging';
import type { Variant } from '../variant.js';

const target = { exchange: 'bench', topic: 'bench_plain' };

/** This library without Nest. */
export const plain: Variant = {
  async serve(url) {
    const methods = { echo: (args: object) => args };
    const server = new RpcServer(await connectBroker(url), { ...target, server: 'bench' }, [{ methods }]);
    await server.start();
  },

  async connect(url) {
    const client = new RpcClient(await connectBroker(url), target);
    return { echo: (payload) => client.call('echo', payload) };
  },
};
