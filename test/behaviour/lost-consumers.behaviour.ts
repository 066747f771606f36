import { describe, expect, it } from 'vitest';
import type { FaultyBus } from './bus-under-test.js';
import { consume, fill, nextEvent, unique, type Clients } from './clients.js';

export function describeLostConsumers(clients: Clients, bus: FaultyBus): void {
  describe('that cancels consumers', () => {
    it('they come back by themselves; what was in the queue is lost', async () => {
      const [broker, other] = [await clients.connect(), await clients.connect()];
      const name = unique('q');
      let interruptions = 0;
      const { log, subscription } = await consume(broker, [name], {
        prefetch: 1,
        onInterrupted: () => interruptions++,
      });
      await fill(other, name, 'held', 'waiting');
      const { delivery } = await log.takeOne();
      const lost = nextEvent(broker, ({ type }) => type === 'consumers-lost');
      const restored = nextEvent(broker, ({ type }) => type === 'consumers-restored');
      await bus.cancelConsumers(name);
      expect(await lost).toMatchObject({ queues: [name], level: 'warn' });
      expect(await restored).toMatchObject({ queues: [name], level: 'log' });
      expect(subscription.consuming).toBe(true);
      expect([broker.state, interruptions]).toEqual(['connected', 0]);
      // The channel lives on and takes the verdict, which concerns nothing any more.
      expect(delivery.ack()).toBe(true);
      await fill(other, name, 'new');
      const next = await log.takeOne();
      expect([next.text, next.delivery.redelivered]).toEqual(['new', false]);
      next.delivery.ack();
      await subscription.close();
      expect(await other.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
    });
  });
}
