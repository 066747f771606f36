import { expect, it } from 'vitest';
import { useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

it.each(['rubbish', '[]', '{"oslo.message":"{"}', ''])(
  'a peer of these tests tells whoever waits of %j',
  async (body) => {
    const peer = on().peer();
    await peer.serve();
    const [first, second, third] = [peer.next(), peer.next(), peer.next()];
    const told = expect(second).rejects.toThrow(`a body that is no sealed message came by 'conductor': ${body}`);
    await peer.cast('before');
    await peer.publish(body);
    await peer.cast('after');
    expect((await first).message['method']).toBe('before');
    await told;
    expect((await third).message['method']).toBe('after');
  },
);
