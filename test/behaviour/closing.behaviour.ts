import { describe, expect, it } from 'vitest';
import { ClosedError, MessageDeliveryFailure } from '../../lib/index.js';
import { consume, declare, fill, unique, type Clients } from './clients.js';
import { binding, exchange, queue } from './declarations.js';

export function describeClosing(clients: Clients): void {
  describe('closing', () => {
    it('connects in the background', async () => {
      const broker = clients.create();
      const name = unique('q');
      const sent = broker.publish({ exchange: '', routingKey: name, body: '1', topology: [queue(name)] });
      expect(broker.state).toBe('connecting');
      await broker.connected();
      expect(broker.state).toBe('connected');
      await broker.connected();
      await sent;
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
    });

    it('can be asked for twice, at the same time and later', async () => {
      const broker = await clients.connect();
      await Promise.all([broker.close(), broker.close()]);
      await broker.close();
      expect(broker.state).toBe('closed');
    });

    it('refuses everything afterwards', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await broker.close();
      await expect(broker.connected()).rejects.toBeInstanceOf(ClosedError);
      await expect(broker.publish({ exchange: '', routingKey: name, body: '1' })).rejects.toBeInstanceOf(ClosedError);
      await expect(consume(broker, [name])).rejects.toBeInstanceOf(ClosedError);
      await expect(broker.inspectQueue(name)).rejects.toBeInstanceOf(ClosedError);
      await expect(broker.deleteQueue(name)).rejects.toBeInstanceOf(ClosedError);
    });

    it('ends the subscriptions', async () => {
      const broker = await clients.connect();
      const { subscription } = await consume(broker, [unique('q')]);
      await broker.close();
      expect(subscription.consuming).toBe(false);
      await subscription.cancel();
      await subscription.close();
    });

    it.each([
      ['in the same turn', () => Promise.resolve()],
      ['in the next turn', () => new Promise((resolve) => setImmediate(resolve))],
      ['a moment later', () => new Promise((resolve) => setTimeout(resolve, 1))],
    ])('brings out what it was given before, closed %s', async (_when, moment) => {
      const broker = await clients.connect();
      const [bus, name] = [unique('topic'), unique('q')];
      const topology = [exchange(bus), queue(name), binding(name, bus, 'x')];
      const sent = Array.from({ length: 20 }, (_, n) =>
        broker.publish({ exchange: bus, routingKey: 'x', body: `${n}`, topology }),
      );
      await moment();
      const closed = broker.close();
      await expect(fill(broker, name, 'late')).rejects.toMatchObject({ code: 'OSLO_CLOSED' });
      await Promise.all([closed, ...sent]);
      expect(await (await clients.connect()).inspectQueue(name)).toEqual({ messages: 20, consumers: 0 });
    });

    it('what nobody should wait for at the end is refused at once without a connection', async () => {
      const broker = clients.create();
      const outcomes = await Promise.allSettled([broker.inspectQueue('q'), broker.deleteQueue('q')]);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(MessageDeliveryFailure) });
      }
    });

    it('ends what was waiting for the connection', async () => {
      const broker = clients.create();
      const waiting = [broker.connected(), consume(broker, [unique('q')])];
      const sent = broker.publish({ exchange: '', routingKey: 'q', body: '1' });
      const outcomes = Promise.allSettled([...waiting, sent]);
      await broker.close();
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'OSLO_CLOSED', unconfirmed: undefined } });
      }
    });
  });
}
