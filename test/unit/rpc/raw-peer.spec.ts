import { expect, it } from 'vitest';
import { useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

it.each(['rubbish', '[]', '{"oslo.message":"{"}', ''])(
  'a peer of these tests tells whoever waits of %j',
  async (body) => {
    const peer = on().peer();
    await peer.serve();
    const all = Promise.allSettled([peer.next(), peer.next(), peer.next()]);
    await peer.cast('before');
    await peer.publish(body);
    await peer.cast('after');
    expect(await all).toMatchObject([
      { value: { message: { method: 'before' } } },
      { reason: { message: `a body that is no sealed message came by 'conductor': ${body}` } },
      { value: { message: { method: 'after' } } },
    ]);
  },
);
