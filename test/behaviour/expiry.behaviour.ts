import { describe, expect, it } from 'vitest';
import { MessageUndeliverable } from '../../lib/index.js';
import type { MessageBroker as Broker } from '../../lib/broker/broker.js';
import type { QueueDeclaration } from '../../lib/wire/topology.js';
import { eventually } from '../support/eventually.js';
import { consume, declare, fill, unique, type Clients } from './clients.js';
import { queue } from './declarations.js';

export function describeExpiry(clients: Clients): void {
  describe('expiry', () => {
    it('an expired message is never delivered', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await broker.publish({ exchange: '', routingKey: name, body: 'late', expirationMs: 300 });
      await expired(broker, name);
      await fill(broker, name, 'fresh');
      const { log } = await consume(broker, [name]);
      expect(await log.takeTexts(1)).toEqual(['fresh']);
    });

    it('nor when it expired behind one that lives', async () => {
      const broker = await clients.connect();
      const [name, control] = [unique('q'), unique('q')];
      await declare(broker, [queue(name), queue(control)]);
      await fill(broker, name, 'first');
      await broker.publish({ exchange: '', routingKey: name, body: 'late', expirationMs: 300 });
      await broker.publish({ exchange: '', routingKey: control, body: 'late', expirationMs: 300 });
      await expired(broker, control);
      await fill(broker, name, 'last');
      const { log } = await consume(broker, [name]);
      expect(await log.takeTexts(2)).toEqual(['first', 'last']);
    });

    it('a message that is delivered in time says how long it had', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      await broker.publish({ exchange: '', routingKey: name, body: '1', expirationMs: 1_234.5 });
      const { delivery } = await log.takeOne();
      expect(delivery.properties.expirationMs).toBe(1_235);
    });

    it('an unused queue expires, whether or not something is published to it', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [expiringQueue(name)]);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
      await gone(broker, name);
      expect(await broker.inspectQueue(name)).toBeUndefined();
    });

    it('a consumed queue does not expire, until its consumer leaves', async () => {
      const broker = await clients.connect();
      const [name, control] = [unique('q'), unique('q')];
      const { log, subscription } = await consume(broker, [name], { topology: [expiringQueue(name)] });
      await declare(broker, [expiringQueue(control)]);
      await gone(broker, control);
      await fill(broker, name, 'still there');
      expect(await log.takeTexts(1)).toEqual(['still there']);
      await subscription.close();
      await gone(broker, name);
    });
  });
}

function expiringQueue(name: string): QueueDeclaration {
  return queue(name, { arguments: { 'x-expires': 500 } });
}

async function expired(broker: Broker, name: string): Promise<void> {
  await eventually(async () => (await broker.inspectQueue(name))?.messages === 0, `the message in ${name} expiring`);
}

/** Asked by publishing, because looking at a queue makes it used. */
async function gone(broker: Broker, name: string): Promise<void> {
  await eventually(
    () =>
      fill(broker, name, 'anybody there?').then(
        () => false,
        (error: unknown) => error instanceof MessageUndeliverable,
      ),
    `${name} expiring`,
  );
}
