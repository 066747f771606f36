import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { RpcClient, RpcServer } from '../../../lib/index.js';
import type { MessageBroker as Broker } from '../../../lib/broker/broker.js';
import type { Delivery, Subscription } from '../../../lib/broker/broker.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from './rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const names = ['large', 'large2'];
afterEach(() => Promise.all(names.map((name) => vhost.deleteQueue(name))));

function topologyOf(name: string, autoDelete = false) {
  return [{ kind: 'queue', name, durable: true, autoDelete, arguments: {} }] as const;
}

function bodyOf(bytes: number, n = 0): string {
  return JSON.stringify({ filling: 'x'.repeat(bytes), n });
}

async function send(broker: Broker, sizes: readonly number[], queue = 'large'): Promise<void> {
  for (const [n, bytes] of sizes.entries())
    await broker.publish({ exchange: '', routingKey: queue, body: bodyOf(bytes, n), topology: topologyOf(queue) });
}

/** The number of each message, in the order in which they came. */
function numberOf({ body }: Delivery): number {
  return (JSON.parse(Buffer.from(body).toString()) as { n: number }).n;
}

class Taker {
  readonly held: Delivery[] = [];
  readonly numbers: number[] = [];
  subscription!: Subscription;

  async consume(broker: Broker, queue = 'large', prefetch = 0): Promise<this> {
    const onDeliveries = (deliveries: readonly Delivery[]): void => {
      this.held.push(...deliveries);
      this.numbers.push(...deliveries.map(numberOf));
    };
    this.subscription = await broker.consume({ topology: topologyOf(queue), queues: [queue], prefetch, onDeliveries });
    return this;
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

describe('large messages that wait here', () => {
  it('are taken up to a budget; the rest stays with the broker until there is room', async () => {
    const sender = brokers.open(vhost.url);
    await send(
      sender,
      upTo(12).map(() => 100_000),
    );
    const broker = brokers.open(vhost.url, { maxHeldBytes: 350_000 });
    const { held, numbers, subscription } = await new Taker().consume(broker);
    await eventually(async () => {
      const queue = await vhost.queue('large');
      return queue?.messagesReady === 9 && queue.messagesUnacknowledged === 3;
    });
    expect(broker.reports('consumers-lost')[0]?.message).toContain('maxHeldBytes');
    expect(subscription.consuming).toBe(false);
    await eventually(() => {
      for (const delivery of held.splice(0)) delivery.ack();
      return numbers.length === 12;
    });
    expect(numbers).toEqual(upTo(12));
    await eventually(() => subscription.consuming);
    await subscription.close();
  });

  it('keep their order: what would still fit, or was on its way, does not pass what went back', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    onTestFinished(() => proxy.close());
    const broker = brokers.open(vhost.urlVia(proxy), { maxHeldBytes: 350_000 });
    const sizes = upTo(20).map((n) => (n % 2 === 0 ? 150_000 : 20_000));
    await send(brokers.open(vhost.url), sizes);
    let deliveries = 0;
    const stalled = proxy.strike({
      from: 'broker',
      method: 'BasicDeliver',
      when: () => ++deliveries === 8,
      fault: 'stall',
    });
    const { held, numbers } = await new Taker().consume(broker);
    await stalled;
    await eventually(() => numbers.length === 4);
    // There is room again, before the rest comes that the broker has sent.
    for (const delivery of held.splice(0)) delivery.ack();
    proxy.resume();
    await eventually(() => {
      held.shift()?.ack();
      return numbers.length === 20;
    });
    expect(numbers).toEqual(upTo(20));
    await broker.close();
  });

  it('of an auto-delete queue are taken all the same: it would go with its last consumer, and the rest with it', async () => {
    const topology = topologyOf('large', true);
    const numbers: number[] = [];
    const held: Delivery[] = [];
    const onDeliveries = (deliveries: readonly Delivery[]): void => {
      held.push(...deliveries);
      numbers.push(...deliveries.map(numberOf));
    };
    const broker = brokers.open(vhost.url, { maxHeldBytes: 350_000 });
    const subscription = await broker.consume({ topology, queues: ['large'], prefetch: 5, onDeliveries });
    const sender = brokers.open(vhost.url);
    for (const n of upTo(12)) await sender.publish({ exchange: '', routingKey: 'large', body: bodyOf(100_000, n) });
    await eventually(async () => (await vhost.queue('large'))?.messagesUnacknowledged === 5);
    expect(numbers).toEqual(upTo(5));
    await eventually(() => {
      for (const delivery of held.splice(0)) delivery.ack();
      return numbers.length === 12;
    });
    expect(numbers).toEqual(upTo(12));
    expect(broker.reports('consumers-lost')).toEqual([]);
    await subscription.close();
  });

  it('share the budget with those of other queues, of which one at least is always taken', async () => {
    const sender = brokers.open(vhost.url);
    await send(sender, [100_000, 100_000, 100_000]);
    await send(sender, [100_000, 100_000, 100_000], 'large2');
    const broker = brokers.open(vhost.url, { maxHeldBytes: 350_000 });
    const first = await new Taker().consume(broker);
    await eventually(() => first.held.length === 3);
    const second = await new Taker().consume(broker, 'large2');
    await eventually(async () => (await vhost.queue('large2'))?.messagesReady === 2);
    expect(second.numbers).toEqual([0]);
    // Whoever holds nothing waits for nobody.
    for (const n of [0, 1, 2]) {
      await eventually(() => second.numbers.length === n + 1);
      second.held[n]!.ack();
    }
    expect(second.numbers).toEqual([0, 1, 2]);
    expect(first.held).toHaveLength(3);
  });

  it('hold up no answer', async () => {
    await send(brokers.open(vhost.url), [100_000, 100_000]);
    const broker = brokers.open(vhost.url, { maxHeldBytes: 100_000 });
    const { held } = await new Taker().consume(broker, 'large', 1);
    await eventually(() => held.length === 1);
    const target = { exchange: 'nova', topic: 'images', server: 'host1' };
    const server = new RpcServer(brokers.open(vhost.url), target, [{ methods: { large: () => 'x'.repeat(200_000) } }]);
    await server.start();
    const client = new RpcClient(broker, target, { timeout: 10 });
    const answers = await Promise.all(upTo(5).map(() => client.call('large')));
    expect(answers.every((answer) => String(answer).length === 200_000)).toBe(true);
    expect(broker.reports('consumers-lost')).toEqual([]);
    await client.close();
    await server.close();
    await Promise.all(['images', 'images.host1'].map((name) => vhost.deleteQueue(name)));
  });

  it('one that is larger than the budget is taken all the same', async () => {
    const broker = brokers.open(vhost.url, { maxHeldBytes: 1_000 });
    const { held } = await new Taker().consume(broker);
    await broker.publish({ exchange: '', routingKey: 'large', body: bodyOf(100_000) });
    await eventually(() => held.length === 1);
    expect(held[0]?.ack()).toBe(true);
  });

  it('what is read weighs as much as it takes from then on', async () => {
    await send(brokers.open(vhost.url), [10_000, 10_000, 10_000]);
    const broker = brokers.open(vhost.url, { maxHeldBytes: 100_000 });
    const { held } = await new Taker().consume(broker, 'large', 1);
    await eventually(() => held.length === 1);
    held[0]!.release(1_000_000);
    expect(held[0]!.body).toHaveLength(0);
    const other = await new Taker().consume(broker, 'large');
    await eventually(async () => (await vhost.queue('large'))?.messagesReady === 1);
    expect(other.held).toHaveLength(1);
  });
});

describe('a huge message that is delivered again', () => {
  const options = { maxMessageBytes: 300_000, maxHeldBytes: 450_000 };

  it('is rejected where another process had it: it may have ended that', async () => {
    const [sender, receiver] = [brokers.open(vhost.url, options), brokers.open(vhost.url, options)];
    const { held } = await new Taker().consume(sender, 'large', 1);
    await send(sender, [200_000]);
    await eventually(() => held.length === 1);
    await sender.close();
    const { numbers } = await new Taker().consume(receiver);
    await eventually(() => receiver.reports('message-rejected').length === 1);
    expect(receiver.reports('message-rejected')[0]?.message).toContain('delivered once more');
    await eventually(async () => (await vhost.queue('large'))?.messagesUnacknowledged === 0);
    expect(await vhost.queue('large')).toMatchObject({ messagesReady: 0 });
    expect(numbers).toEqual([]);
  });

  it('is taken where it has gone back from this process, by its receiver or for want of room', async () => {
    const broker = brokers.open(vhost.url, options);
    await send(broker, [200_000, 200_000, 200_000, 200_000, 200_000, 200_000]);
    const { held, numbers } = await new Taker().consume(broker);
    await eventually(() => held.length >= 2);
    held.shift()!.reject(true);
    await eventually(() => {
      held.shift()?.ack();
      return numbers.length === 7;
    });
    expect(numbers.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 2, 3, 4, 5]);
    expect(broker.reports('message-rejected')).toEqual([]);
  });
});
