import { describe, expect, it } from 'vitest';
import type { MessageBroker as Broker } from '../../lib/broker/broker.js';
import type { Delivery } from '../../lib/broker/broker.js';
import { eventually } from '../support/eventually.js';
import type { FaultyBus } from './bus-under-test.js';
import { consume, fill, unique, type Clients } from './clients.js';
import type { DeliveryLog } from './delivery-log.js';

interface Blocked {
  broker: Broker;
  name: string;
  log: DeliveryLog;
  /** Of '0', sent before. */
  early: Delivery;
  /** '1', which waits. */
  held: Promise<void>;
  phases: string[];
}

export function describeBlocking(clients: Clients, bus: FaultyBus): void {
  /** A client that has sent '1' under the alarm. */
  async function blocked(): Promise<Blocked> {
    const broker = await clients.connect();
    const name = unique('q');
    const { log } = await consume(broker, [name]);
    await fill(broker, name, '0');
    const { delivery: early } = await log.takeOne();
    const phases: string[] = [];
    broker.events.subscribe((event) => {
      if (event.type === 'connection-changed') phases.push(`${event.connection} ${event.to}`);
    });
    await bus.block();
    expect(broker.state).toBe('connected');
    const held = fill(broker, name, '1');
    held.catch(() => undefined);
    await eventually(() => broker.state === 'blocked');
    return { broker, name, log, early, held, phases };
  }

  describe('under an alarm', () => {
    it('what is published waits, and arrives in its order', async () => {
      const { broker, name, log, held, phases } = await blocked();
      const sent = fill(broker, name, '2', '3');
      const other = await clients.connect();
      expect(await other.inspectQueue(name)).toEqual({ messages: 0, consumers: 1 });
      expect(log.texts).toEqual([]);
      await bus.unblock();
      await Promise.all([held, sent]);
      expect(await log.takeTexts(3)).toEqual(['1', '2', '3']);
      await eventually(() => broker.state === 'connected');
      expect(phases).toEqual(['publish blocked', 'publish connected']);
    });

    it('consuming goes on', async () => {
      const { broker, log, held, early } = await blocked();
      const consumer = await clients.connect();
      await consume(consumer, [unique('q')]);
      expect(consumer.state).toBe('connected');
      expect(early.reject(true)).toBe(true);
      const again = await log.takeOne();
      expect([again.text, again.delivery.redelivered]).toEqual(['0', true]);
      expect(again.delivery.ack()).toBe(true);
      expect(broker.state).toBe('blocked');
      await bus.unblock();
      await held;
      expect(await log.takeTexts(1)).toEqual(['1']);
    });

    it('a message that is given up meanwhile is not sent later', async () => {
      const { broker, name, log } = await blocked();
      const late = broker.publish({ exchange: '', routingKey: name, body: 'late', giveUpMs: 30 });
      await expect(late).rejects.toMatchObject({ code: 'OSLO_TIMEOUT' });
      await bus.unblock();
      await fill(broker, name, '2');
      expect(await log.takeTexts(2)).toEqual(['1', '2']);
    });

    it('what waits outlives a broken connection', async () => {
      const { broker, name, log, held, early, phases } = await blocked();
      early.ack();
      const sent = fill(broker, name, '2');
      await bus.interrupt();
      await eventually(() => phases.includes('publish connected'));
      await bus.unblock();
      await Promise.all([held, sent]);
      const arrived = new Set<string>();
      // What was written to a line that broke may come twice.
      while (!arrived.has('1') || !arrived.has('2')) arrived.add((await log.takeOne()).text);
    });

    it('a connection that opens into it takes one message: what is given up then goes out no more', async () => {
      const consumer = await clients.connect();
      const name = unique('q');
      const { log } = await consume(consumer, [name]);
      await bus.block();
      const broker = clients.create();
      const sent = Array.from({ length: 20 }, (_, n) =>
        broker.publish({ exchange: '', routingKey: name, body: `${n}`, giveUpMs: 500 }),
      );
      const outcomes = Promise.allSettled(sent);
      await eventually(() => broker.state === 'blocked');
      for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: 'OSLO_TIMEOUT' } });
      await bus.unblock();
      await fill(broker, name, 'after');
      const arrived = await log.takeTexts(2);
      expect(arrived).toEqual(['0', 'after']);
    });

    it('a client can be closed, and says what may have arrived', async () => {
      const { broker, name, held } = await blocked();
      const unwritten = fill(broker, name, '2');
      unwritten.catch(() => undefined);
      await broker.close();
      await expect(held).rejects.toMatchObject({ code: 'OSLO_CLOSED', unconfirmed: true });
      await expect(unwritten).rejects.toMatchObject({ code: 'OSLO_CLOSED', unconfirmed: undefined });
    });
  });
}
