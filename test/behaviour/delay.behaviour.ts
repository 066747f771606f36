import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { FaultyBus } from './bus-under-test.js';
import { consume, declare, fill, nextEvent, unique, type Clients } from './clients.js';
import { queue } from './declarations.js';

const delayMs = 40;

export function describeDelay(clients: Clients, bus: FaultyBus): void {
  describe('that is far away', () => {
    it('everything works, in order', async () => {
      await bus.delay(delayMs);
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1', '2', '3');
      const got = await log.take(3);
      expect(got.map(({ text }) => text)).toEqual(['1', '2', '3']);
      for (const { delivery } of got) expect(delivery.ack()).toBe(true);
      await subscription.cancel();
      await subscription.close();
      await eventually(async () => (await broker.inspectQueue(name))?.consumers === 0);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('what is not confirmed in time is given up', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await bus.delay(delayMs);
      const sent = broker.publish({ exchange: '', routingKey: name, body: '1', giveUpMs: delayMs / 4 });
      await expect(sent).rejects.toMatchObject({ code: 'OSLO_TIMEOUT' });
      await broker.deleteQueue(name);
    });

    it('a message that was on its way when the line broke is sent again', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await bus.delay(delayMs);
      const republished = nextEvent(broker, ({ type }) => type === 'message-republished');
      const sent = fill(broker, name, '1');
      await leave();
      await bus.interrupt();
      await bus.delay(0);
      await sent;
      expect(await republished).toMatchObject({ exchange: '', routingKey: name });
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('or fails, where that is switched off', async () => {
      const broker = await clients.connect({ republishUnconfirmed: false });
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await bus.delay(delayMs);
      const sent = fill(broker, name, '1').catch((error: unknown) => error);
      await leave();
      await bus.interrupt();
      await bus.delay(0);
      expect(await sent).toMatchObject({ code: 'OSLO_DELIVERY', unconfirmed: true });
      await eventually(() => broker.state === 'connected');
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('a close waits for what was sent before it', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await bus.delay(delayMs);
      const sent = fill(broker, name, '1', '2');
      await broker.close();
      await sent;
      await bus.delay(0);
      expect(await (await clients.connect()).inspectQueue(name)).toEqual({ messages: 2, consumers: 0 });
    });

    it('and ends with the connection: what was not confirmed may have arrived', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await bus.delay(delayMs);
      const sent = fill(broker, name, '1').catch((error: unknown) => error);
      await leave();
      const closed = broker.close();
      await bus.interrupt();
      await closed;
      expect(await sent).toMatchObject({ code: 'OSLO_CLOSED', unconfirmed: true });
    });

    it('a message whose acknowledgement was on its way when the line broke comes again', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log, subscription } = await consume(broker, [name]);
      await fill(broker, name, '1');
      const { delivery } = await log.takeOne();
      await bus.delay(delayMs);
      expect(delivery.ack()).toBe(true);
      subscription.flush();
      await leave();
      await bus.interrupt();
      await bus.delay(0);
      const again = await log.takeOne();
      expect([again.text, again.delivery.redelivered]).toEqual(['1', true]);
    });
  });
}

/** What was written in this turn leaves the process. */
function leave(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
