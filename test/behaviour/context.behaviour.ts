import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import type { MessagingEvent } from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import type { BusUnderTest } from './bus-under-test.js';
import { fill, unique, type Clients } from './clients.js';
import { queue } from './declarations.js';

export function describeContext(clients: Clients, bus: BusUnderTest): void {
  describe('an asynchronous context', () => {
    const store = new AsyncLocalStorage<string>();

    it('of whoever publishes and consumes first is not that of events, deliveries and reconnecting', async () => {
      const broker = await clients.connect();
      const seen: [MessagingEvent['type'] | 'delivery', string | undefined][] = [];
      broker.events.subscribe(({ type }) => void seen.push([type, store.getStore()]));
      const name = unique('q');
      const delivered = (): number => seen.filter(([what]) => what === 'delivery').length;
      await store.run('first', async () => {
        const subscription = await broker.consume({
          topology: [queue(name)],
          queues: [name],
          prefetch: 1,
          onDeliveries: (deliveries) => {
            seen.push(['delivery', store.getStore()]);
            for (const delivery of deliveries) delivery.ack();
          },
        });
        await fill(broker, name, '1');
        await eventually(() => delivered() === 1);
        await bus.interrupt();
        const other = await clients.connect();
        await fill(other, name, '2');
        await eventually(() => delivered() >= 2 && broker.state === 'connected');
        expect(store.getStore()).toBe('first');
        await subscription.close();
        await broker.deleteQueue(name);
      });
      expect(seen.length).toBeGreaterThan(3);
      expect(new Set(seen.map(([, context]) => context))).toEqual(new Set([undefined]));
    });
  });
}
