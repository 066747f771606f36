import { describe, expect, it } from 'vitest';
import { RpcClient } from '../../lib/index.js';
import type { MessageBroker as Broker } from '../../lib/broker/broker.js';
import { eventually } from '../support/eventually.js';
import type { FaultyBus } from './bus-under-test.js';
import { consume, declare, fill, nextEvent, unique, type Clients } from './clients.js';
import { queue } from './declarations.js';

export function describeRefusal(clients: Clients, bus: FaultyBus): void {
  /** A client that tries in vain to come back. */
  async function stranded(): Promise<Broker> {
    const broker = await clients.connect();
    await bus.refuse();
    const refused = nextEvent(
      broker,
      (event) => event.type === 'connection-changed' && event.from === 'connecting' && event.to === 'disconnected',
    );
    await bus.interrupt();
    await refused;
    return broker;
  }

  describe('that refuses connections', () => {
    it('those that are up stay up', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await bus.refuse();
      await fill(broker, name, '1');
      expect(broker.state).toBe('connected');
      await broker.deleteQueue(name);
    });

    it('who will wait for one attempt only is told after it', async () => {
      await bus.refuse();
      const broker = clients.create();
      await expect(broker.connected(0)).rejects.toMatchObject({ code: 'OSLO_DELIVERY', retryable: true });
      expect(broker.state).toBe('connecting');
      const patient = broker.connected();
      await bus.accept();
      await patient;
      expect(broker.state).toBe('connected');
    });

    it('who will wait for some time is told after it', async () => {
      await bus.refuse();
      await expect(clients.create().connected(30)).rejects.toMatchObject({ code: 'OSLO_DELIVERY' });
    });

    it('each refusal is reported with its reason', async () => {
      await bus.refuse();
      const broker = clients.create();
      const failed = await nextEvent(
        broker,
        (event) => event.type === 'connection-changed' && event.to === 'disconnected',
      );
      expect(failed).toMatchObject({ connection: 'publish', level: 'warn', error: expect.any(Error) });
    });

    it('why there is no connection is told as long as there is none', async () => {
      const broker = await stranded();
      const why = broker.lastFailure!;
      expect(why).toMatch(/refused|reset|closed/i);
      await expect(broker.inspectQueue('q')).rejects.toThrow(why);
      const client = new RpcClient(broker, { topic: unique('topic') }, { timeout: 0.05 });
      await expect(client.call('ping')).rejects.toMatchObject({
        message: expect.stringContaining(`there is no connection to the broker (${why})`),
        diagnosis: { reason: 'disconnected' },
      });
      await bus.accept();
      const { replyQueue } = client;
      await eventually(async () => broker.state === 'connected' && (await broker.inspectQueue(replyQueue)));
      expect(broker.lastFailure).toBeUndefined();
      await client.close();
      // It is left to its expiry where an answer may still come.
      await broker.deleteQueue(replyQueue);
    });

    it('a message waits for as many attempts as its retry allows', async () => {
      const broker = await stranded();
      const name = unique('q');
      const send = (retry: number) =>
        broker.publish({ exchange: '', routingKey: name, body: String(retry), topology: [queue(name)], retry });
      const patient = send(-1);
      await expect(send(0)).rejects.toMatchObject({ code: 'OSLO_DELIVERY', attempts: 1 });
      await expect(send(1)).rejects.toMatchObject({ code: 'OSLO_DELIVERY', attempts: 2 });
      await bus.accept();
      await patient;
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('a message whose sender has ended meanwhile is not sent later, and is no failure', async () => {
      const broker = await stranded();
      const name = unique('q');
      const message = { exchange: '', routingKey: name, topology: [queue(name)] };
      const owner = { ended: false, routed: () => undefined };
      const needless = broker.publish({ ...message, body: 'needless', owner });
      owner.ended = true;
      await bus.accept();
      await needless;
      await broker.publish({ ...message, body: 'wanted', owner: { routed: () => undefined, ended: false } });
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('nor is one whose sender has ended already, though the broker is there', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const message = { exchange: '', routingKey: name, topology: [queue(name)] };
      await broker.publish({ ...message, body: 'wanted' });
      await broker.publish({ ...message, body: 'needless', owner: { routed: () => undefined, ended: true } });
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('a message that is given up meanwhile is not sent later', async () => {
      const broker = await stranded();
      const name = unique('q');
      const message = { exchange: '', routingKey: name, topology: [queue(name)] };
      await expect(broker.publish({ ...message, body: 'late', giveUpMs: 30 })).rejects.toMatchObject({
        code: 'OSLO_TIMEOUT',
      });
      await bus.accept();
      await broker.publish({ ...message, body: 'in time' });
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('consumers begin, and are back, when it accepts again', async () => {
      const broker = await clients.connect();
      const [first, second] = [unique('q'), unique('q')];
      const before = await consume(broker, [first]);
      await bus.refuse();
      await bus.interrupt();
      await eventually(() => !before.subscription.consuming);
      const during = consume(broker, [second]);
      await bus.accept();
      const { log, subscription } = await during;
      await eventually(() => before.subscription.consuming);
      await fill(broker, first, 'one');
      await fill(broker, second, 'two');
      expect(await before.log.takeTexts(1)).toEqual(['one']);
      expect(await log.takeTexts(1)).toEqual(['two']);
      expect(subscription.consuming).toBe(true);
    });
  });
}
