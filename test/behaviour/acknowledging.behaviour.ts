import { describe, expect, it } from 'vitest';
import { consume, declare, fill, unique, type Clients } from './clients.js';
import { queue } from './declarations.js';

export function describeAcknowledging(clients: Clients): void {
  describe('acknowledging', () => {
    it('what is acknowledged does not come back', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1', '2', '3');
      for (const { delivery } of await log.take(3)) expect(delivery.ack()).toBe(true);
      await subscription.close();
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
    });

    it('only what is acknowledged: the rest comes again in order, as redelivered', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1', '2', '3', '4', '5');
      const [first, , third, fourth] = await log.take(5);
      third!.delivery.ack();
      first!.delivery.ack();
      subscription.flush();
      fourth!.delivery.ack();
      await subscription.close();
      const again = await consume(broker, [name]);
      const rest = await again.log.take(2);
      expect(rest.map(({ text, delivery }) => [text, delivery.redelivered])).toEqual([
        ['2', true],
        ['5', true],
      ]);
    });

    it('makes room for the next ones without a flush', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name], { prefetch: 1 });
      await fill(broker, name, '1', '2', '3');
      for (const text of ['1', '2', '3']) {
        const next = await log.takeOne();
        expect(next.text).toBe(text);
        next.delivery.ack();
      }
    });

    it('a second verdict on a delivery does no harm', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name], { prefetch: 1 });
      await fill(broker, name, '1', '2');
      const { delivery } = await log.takeOne();
      delivery.ack();
      delivery.ack();
      subscription.flush();
      delivery.reject(true);
      const second = await log.takeOne();
      second.delivery.ack();
      await fill(broker, name, '3');
      expect(await log.takeOne()).toMatchObject({ text: '3', delivery: { redelivered: false } });
      expect(subscription.consuming).toBe(true);
    });

    it('a requeued message comes again, before later ones', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await fill(broker, name, '1', '2', '3');
      const { log } = await consume(broker, [name], { prefetch: 1 });
      const first = await log.takeOne();
      expect(first.delivery.redelivered).toBe(false);
      expect(first.delivery.reject(true)).toBe(true);
      const again = await log.takeOne();
      expect(again).toMatchObject({ text: '1', delivery: { redelivered: true } });
      again.delivery.ack();
      expect(await log.takeOne()).toMatchObject({ text: '2', delivery: { redelivered: false } });
    });

    it('a rejected message is dropped', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name], { prefetch: 1 });
      await fill(broker, name, 'poison', 'good');
      expect((await log.takeOne()).delivery.reject(false)).toBe(true);
      const good = await log.takeOne();
      expect(good).toMatchObject({ text: 'good', delivery: { redelivered: false } });
      await subscription.close();
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
    });

    it('a rejection does not overtake the acknowledgements before it', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1', '2', '3', '4');
      const [first, second, third, fourth] = await log.take(4);
      first!.delivery.ack();
      second!.delivery.ack();
      third!.delivery.reject(false);
      fourth!.delivery.ack();
      await subscription.close();
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
    });

    it('is too late after close, and says so', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1', '2');
      const [first, second] = await log.take(2);
      await subscription.close();
      expect(first!.delivery.ack()).toBe(false);
      expect(second!.delivery.reject(true)).toBe(false);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 2, consumers: 0 });
    });
  });
}
