import { afterEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from './rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const topology = [{ kind: 'queue', name: 'large', durable: true, autoDelete: false, arguments: {} }] as const;
afterEach(() => vhost.deleteQueue('large'));

function bodyOf(bytes: number): string {
  return JSON.stringify({ filling: 'x'.repeat(bytes) });
}

describe('large messages that wait here', () => {
  it('are taken up to a budget; the rest stays with the broker until there is room', async () => {
    const sender = brokers.open(vhost.url);
    for (let n = 0; n < 12; n++)
      await sender.publish({ exchange: '', routingKey: 'large', body: bodyOf(100_000), topology });
    const broker = brokers.open(vhost.url, { maxHeldBytes: 350_000 });
    const held: Delivery[] = [];
    let taken = 0;
    const subscription = await broker.consume({
      topology,
      queues: ['large'],
      prefetch: 0,
      onDeliveries: (deliveries) => {
        held.push(...deliveries);
        taken += deliveries.length;
      },
    });
    await eventually(async () => {
      const queue = await vhost.queue('large');
      return queue?.messagesReady === 9 && queue.messagesUnacknowledged === 3;
    });
    expect(broker.reports('consumers-lost')[0]?.message).toContain('maxHeldBytes');
    expect(subscription.consuming).toBe(false);
    await eventually(() => {
      for (const delivery of held.splice(0)) delivery.ack();
      return taken === 12;
    });
    await eventually(() => subscription.consuming);
    await subscription.close();
  });

  it('one that is larger than the budget is taken all the same', async () => {
    const broker = brokers.open(vhost.url, { maxHeldBytes: 1_000 });
    const held: Delivery[] = [];
    await broker.consume({ topology, queues: ['large'], prefetch: 0, onDeliveries: (some) => void held.push(...some) });
    await broker.publish({ exchange: '', routingKey: 'large', body: bodyOf(100_000) });
    await eventually(() => held.length === 1);
    expect(held[0]?.ack()).toBe(true);
  });

  it('a huge one that is delivered again is rejected: it may have ended whoever had it', async () => {
    const sender = brokers.open(vhost.url, { maxMessageBytes: 300_000 });
    const first: Delivery[] = [];
    await sender.consume({
      topology,
      queues: ['large'],
      prefetch: 1,
      onDeliveries: (some) => void first.push(...some),
    });
    await sender.publish({ exchange: '', routingKey: 'large', body: bodyOf(200_000) });
    await eventually(() => first.length === 1);
    first[0]?.reject(true);
    await eventually(() => sender.reports('message-rejected').length === 1);
    expect(sender.reports('message-rejected')[0]?.message).toContain('delivered once more');
    await eventually(async () => (await vhost.queue('large'))?.messagesUnacknowledged === 0);
    expect(await vhost.queue('large')).toMatchObject({ messagesReady: 0 });
    expect(first).toHaveLength(1);
  });
});
