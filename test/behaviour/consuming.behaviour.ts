import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { stillKept } from '../support/garbage.js';
import { consume, declare, fill, unique, type Clients } from './clients.js';
import { queue } from './declarations.js';

export function describeConsuming(clients: Clients): void {
  describe('consuming', () => {
    it('takes no more than the prefetch of each queue', async () => {
      const broker = await clients.connect();
      const [one, two] = [unique('q'), unique('q')];
      await declare(broker, [queue(one), queue(two)]);
      await fill(broker, one, 'a1', 'a2', 'a3', 'a4');
      await fill(broker, two, 'b1', 'b2', 'b3');
      const { log } = await consume(broker, [one, two], { prefetch: 2 });
      expect((await log.takeTexts(4)).sort()).toEqual(['a1', 'a2', 'b1', 'b2']);
      expect(await broker.inspectQueue(one)).toEqual({ messages: 2, consumers: 1 });
      expect(await broker.inspectQueue(two)).toEqual({ messages: 1, consumers: 1 });
    });

    it('takes all without a prefetch', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const texts = Array.from({ length: 300 }, (_, index) => `${index}`);
      await declare(broker, [queue(name)]);
      await fill(broker, name, ...texts);
      const { log } = await consume(broker, [name]);
      expect(await log.takeTexts(300)).toEqual(texts);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 1 });
    });

    it('gives each of two consumers its turn', async () => {
      const [one, two] = [await clients.connect(), await clients.connect()];
      const name = unique('q');
      const first = await consume(one, [name]);
      const second = await consume(two, [name]);
      await fill(one, name, '1', '2', '3', '4');
      const [odd, even] = [await first.log.takeTexts(2), await second.log.takeTexts(2)];
      expect([odd, even].sort()).toEqual([
        ['1', '3'],
        ['2', '4'],
      ]);
    });

    it('a busy consumer leaves the work to the other', async () => {
      const [one, two] = [await clients.connect(), await clients.connect()];
      const name = unique('q');
      const busy = await consume(one, [name], { prefetch: 1 });
      await fill(one, name, 'long');
      expect(await busy.log.takeTexts(1)).toEqual(['long']);
      const idle = await consume(two, [name], { prefetch: 1 });
      for (const text of ['1', '2', '3']) {
        await fill(one, name, text);
        const next = await idle.log.takeOne();
        expect(next.text).toBe(text);
        next.delivery.ack();
        idle.subscription.flush();
      }
      expect(busy.log.texts).toEqual([]);
    });

    it('puts several queues into one line, as messages arrive', async () => {
      const broker = await clients.connect();
      const queues = [unique('q'), unique('q'), unique('q')];
      const { log } = await consume(broker, queues);
      const arrived: string[] = [];
      for (const index of [2, 0, 1, 0, 2, 1]) {
        await fill(broker, queues[index]!, `${index}`);
        arrived.push((await log.takeOne()).delivery.queue);
      }
      expect(arrived).toEqual([2, 0, 1, 0, 2, 1].map((index) => queues[index]));
    });

    it('keeps nothing of a body that was read and acknowledged', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      await fill(broker, name, 'x'.repeat(100_000));
      const { delivery } = await log.takeOne();
      const body = new WeakRef(delivery.body);
      delivery.release(100_000);
      expect(delivery.body).toHaveLength(0);
      expect(delivery.ack()).toBe(true);
      await eventually(async () => (await stillKept([body])) === 0);
      expect(delivery.queue).toBe(name);
    });

    it('a body that was read comes again whole when it goes back', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      await fill(broker, name, 'text');
      const { delivery } = await log.takeOne();
      delivery.release(4);
      delivery.reject(true);
      expect(await log.takeTexts(1)).toEqual(['text']);
    });

    it('tells when a message was received', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      const before = performance.now();
      await fill(broker, name, '1');
      const { delivery } = await log.takeOne();
      expect(delivery.receivedAt).toBeGreaterThanOrEqual(before);
      expect(delivery.receivedAt).toBeLessThanOrEqual(performance.now());
    });

    it('after cancel nothing more comes, and what is here can be acknowledged', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1', '2');
      const [first] = await log.take(2);
      await subscription.cancel();
      expect(subscription.consuming).toBe(false);
      await fill(broker, name, '3');
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
      expect(first!.delivery.ack()).toBe(true);
      await subscription.close();
      expect(await broker.inspectQueue(name)).toEqual({ messages: 2, consumers: 0 });
      expect(log.texts).toEqual([]);
    });

    it('after cancel a message can be given back to another consumer', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1');
      const { delivery } = await log.takeOne();
      await subscription.cancel();
      expect(delivery.reject(true)).toBe(true);
      const other = await consume(broker, [name]);
      expect(await other.log.takeOne()).toMatchObject({ text: '1', delivery: { redelivered: true } });
    });

    it('close gives what is unacknowledged to the other consumer, as redelivered', async () => {
      const [one, two] = [await clients.connect(), await clients.connect()];
      const name = unique('q');
      const first = await consume(one, [name]);
      await fill(one, name, '1', '2', '3');
      await first.log.take(3);
      const second = await consume(two, [name]);
      await first.subscription.close();
      const taken = await second.log.take(3);
      expect(taken.map(({ text }) => text)).toEqual(['1', '2', '3']);
      expect(taken.every(({ delivery }) => delivery.redelivered)).toBe(true);
      await first.subscription.close();
      expect(first.subscription.consuming).toBe(false);
    });

    it('closing the client does the same', async () => {
      const [one, two] = [await clients.connect(), await clients.connect()];
      const name = unique('q');
      const first = await consume(one, [name]);
      await fill(one, name, '1');
      const { delivery } = await first.log.takeOne();
      await one.close();
      expect(delivery.ack()).toBe(false);
      const second = await consume(two, [name]);
      expect(await second.log.takeOne()).toMatchObject({ text: '1', delivery: { redelivered: true } });
    });

    it('several subscriptions of one client live side by side', async () => {
      const broker = await clients.connect();
      const [one, two] = [unique('q'), unique('q')];
      const first = await consume(broker, [one]);
      const second = await consume(broker, [two]);
      await first.subscription.close();
      await fill(broker, two, 'for two');
      expect(await second.log.takeTexts(1)).toEqual(['for two']);
      expect(await broker.inspectQueue(one)).toEqual({ messages: 0, consumers: 0 });
      expect(second.subscription.queues).toEqual([two]);
    });
  });
}
