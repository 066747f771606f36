import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { BusUnderTest } from './bus-under-test.js';
import { consume, declare, fill, nextEvent, unique, type Clients } from './clients.js';
import { binding, exchange, queue } from './declarations.js';

export function describeRecovery(clients: Clients, bus: BusUnderTest): void {
  describe('recovery', () => {
    it('a deleted queue is declared and consumed again under its name', async () => {
      const [broker, other] = [await clients.connect(), await clients.connect()];
      const [exchangeName, name, second] = [unique('topic'), unique('q'), unique('q')];
      const topology = [exchange(exchangeName), queue(name), binding(name, exchangeName, 'x'), queue(second)];
      const { log, subscription } = await consume(broker, [name, second], { topology });
      const lost = nextEvent(broker, ({ type }) => type === 'consumers-lost');
      const restored = nextEvent(broker, ({ type }) => type === 'consumers-restored');
      await other.deleteQueue(name);
      expect(await lost).toMatchObject({ queues: expect.arrayContaining([name]) });
      expect(await restored).toMatchObject({ queues: expect.arrayContaining([name]) });
      expect(subscription.consuming).toBe(true);
      await other.publish({ exchange: exchangeName, routingKey: 'x', body: 'again', mandatory: true });
      await fill(other, second, 'and this one');
      expect((await log.takeTexts(2)).sort()).toEqual(['again', 'and this one']);
      expect(await other.inspectQueue(name)).toEqual({ messages: 0, consumers: 1 });
    });

    it('a subscription that was closed is not restored', async () => {
      const [broker, other] = [await clients.connect(), await clients.connect()];
      const [name, kept] = [unique('q'), unique('q')];
      const { subscription } = await consume(broker, [name]);
      await consume(broker, [kept]);
      await subscription.close();
      const restored = nextEvent(broker, ({ type }) => type === 'consumers-restored');
      await other.deleteQueue(name);
      await other.deleteQueue(kept);
      expect(await restored).toMatchObject({ queues: [kept] });
      expect(await other.inspectQueue(name)).toBeUndefined();
    });

    it('after a broken connection the queues are consumed again, and what was unacknowledged comes again', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      let interruptions = 0;
      const { log, subscription } = await consume(broker, [name], {
        prefetch: 2,
        onInterrupted: () => interruptions++,
      });
      await fill(broker, name, '1', '2', '3');
      const [first, second] = await log.take(2);
      first!.delivery.ack();
      // With this prefetch the third shows that the acknowledgement has arrived.
      await log.take(1);
      await bus.interrupt();
      const again = await log.take(2);
      expect(again.map(({ text, delivery }) => [text, delivery.redelivered])).toEqual([
        ['2', true],
        ['3', true],
      ]);
      expect(interruptions).toBe(1);
      expect(second!.delivery.ack()).toBe(false);
      for (const { delivery } of again) expect(delivery.ack()).toBe(true);
      await subscription.close();
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
    });

    it('what is published while the line is down is sent when it is up again', async () => {
      const broker = await clients.connect();
      const [bus1, name] = [unique('topic'), unique('q')];
      const topology = [exchange(bus1), queue(name), binding(name, bus1, 'x')];
      await broker.publish({ exchange: bus1, routingKey: 'x', body: '1', topology });
      const down = nextEvent(broker, (event) => event.type === 'connection-changed' && event.to === 'disconnected');
      await bus.interrupt();
      await down;
      const sent = ['2', '3'].map((body) => broker.publish({ exchange: bus1, routingKey: 'x', body, topology }));
      await Promise.all(sent);
      const { log } = await consume(broker, [name], { topology });
      expect(await log.takeTexts(3)).toEqual(['1', '2', '3']);
    });

    it('reports the connection going and coming', async () => {
      const broker = await clients.connect();
      const phases: string[] = [];
      broker.events.subscribe((event) => {
        if (event.type === 'connection-changed' && event.connection === 'publish') phases.push(event.to);
      });
      await bus.interrupt();
      await eventually(() => phases.includes('connected'), 'the line coming up again');
      expect(phases).toEqual(['disconnected', 'connecting', 'connected']);
      await declare(broker, [queue(unique('q'))]);
      expect(broker.state).toBe('connected');
    });
  });
}
