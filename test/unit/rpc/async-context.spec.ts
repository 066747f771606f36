import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { RpcClient } from '../../../lib/index.js';
import { TARGET, useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();
const store = new AsyncLocalStorage<string>();

it('each call that waits for the reply queue goes on in its own context', async () => {
  const bus = on();
  await bus.serve({ ping: () => 'pong' });
  const broker = bus.broker();
  const gate = bus.unreachable(broker);
  const sentIn: (string | undefined)[] = [];
  const client = new RpcClient(broker, TARGET, {
    hooks: [
      {
        aroundSend: (_message, next) => {
          sentIn.push(store.getStore());
          return next();
        },
      },
    ],
  });
  const calls = ['first', 'second', 'third'].map((name) => store.run(name, () => client.call('ping')));
  gate.open();
  expect(await Promise.all(calls)).toEqual(['pong', 'pong', 'pong']);
  expect(sentIn).toEqual(['first', 'second', 'third']);
  await client.close();
});

it('a store that a handler enters is not that of the next one', async () => {
  const bus = on();
  const seen: (string | undefined)[] = [];
  await bus.serve({
    enter: ({ name }: { name: string }) => {
      seen.push(store.getStore());
      store.enterWith(name);
      return null;
    },
  });
  const client = bus.client();
  await Promise.all(['a', 'b', 'c'].map((name) => client.call('enter', { name })));
  await client.call('enter', { name: 'd' });
  expect(seen).toEqual([undefined, undefined, undefined, undefined]);
});
