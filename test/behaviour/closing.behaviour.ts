import { describe, expect, it } from 'vitest';
import { ClosedError, MessageDeliveryFailure } from '../../lib/errors/delivery.errors.js';
import { consume, declare, unique, type Clients } from './clients.js';
import { queue } from './declarations.js';

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
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'OSLO_CLOSED' } });
      }
    });
  });
}
