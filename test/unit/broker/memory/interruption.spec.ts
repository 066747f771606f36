import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  MessageDeliveryFailure,
  type MessagingEvent,
  MessagingTimeout,
  type RabbitOptions,
} from '../../../../lib/index.js';
import type { OutgoingMessage } from '../../../../lib/broker/broker.js';
import { advanced } from '../../../support/virtual-time.js';
import { MemoryBroker, queueIn } from '../../../support/memory-broker.js';
import { MemoryBus } from '../../../../lib/broker/memory/memory-bus.js';
import { resolveRabbitOptions } from '../../../../lib/config/rabbit-options.js';
import { queue } from '../../../behaviour/declarations.js';
import { DeliveryLog } from '../../../behaviour/delivery-log.js';

const topology = [queue('q')];

describe('an interrupted MemoryBroker', () => {
  let bus: MemoryBus;
  let events: MessagingEvent[];

  beforeEach(() => {
    vi.useFakeTimers();
    bus = new MemoryBus();
    events = [];
  });
  afterEach(() => void vi.useRealTimers());

  async function connect(options?: RabbitOptions): Promise<MemoryBroker> {
    const broker = new MemoryBroker(bus, resolveRabbitOptions(options));
    broker.events.subscribe((event) => events.push(event));
    await vi.advanceTimersByTimeAsync(0);
    return broker;
  }

  /** A message that has arrived at the bus, and is not confirmed. */
  function taken(broker: MemoryBroker, message: Partial<OutgoingMessage> = {}): Promise<void> {
    bus.declare(topology);
    return broker.publish(toQueue({ topology: undefined, ...message }));
  }

  it('publishes again what was not confirmed, and says so', async () => {
    const broker = await connect();
    const sent = taken(broker);
    bus.interrupt();
    expect(await outcome(sent, 1_000)).toBe('confirmed');
    expect(queueIn(bus, 'q')).toEqual({ messages: 2, consumers: 0 });
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'message-republished', exchange: '', routingKey: 'q' }),
    );
  });

  it('does not where that is switched off', async () => {
    const broker = await connect({ republishUnconfirmed: false });
    const sent = taken(broker);
    bus.interrupt();
    expect(await outcome(sent, 1_000)).toBeInstanceOf(MessageDeliveryFailure);
    expect(queueIn(bus, 'q')).toEqual({ messages: 1, consumers: 0 });
  });

  it.each([
    [0, 1],
    [1, 2],
  ])('tries no more often than retry = %d allows', async (retry, copies) => {
    const broker = await connect();
    const sent = taken(broker, { retry });
    const end = outcome(sent, 1_000);
    bus.interrupt();
    // It has arrived once more then, and is not confirmed.
    broker.events.subscribe(({ type }) => {
      if (type === 'message-republished') queueMicrotask(() => bus.interrupt());
    });
    expect(await end).toMatchObject({ code: 'OSLO_DELIVERY', attempts: retry + 1 });
    await advanced(broker.close(), 10_000);
    expect(queueIn(bus, 'q')).toEqual({ messages: copies, consumers: 0 });
  });

  it.each([{ giveUpMs: 30 }, { expirationMs: 30 }, { expirationMs: 30, giveUpMs: 60_000 }])(
    'gives up after %o, and sends nothing later',
    async (limits) => {
      const broker = await connect();
      bus.declare(topology);
      bus.interrupt();
      const sent = broker.publish(toQueue(limits));
      expect(await outcome(sent, 30)).toBeInstanceOf(MessagingTimeout);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(queueIn(bus, 'q')).toEqual({ messages: 0, consumers: 0 });
    },
  );

  it('takes the time it was kept from the time that a message may live', async () => {
    const broker = await connect();
    const log = new DeliveryLog();
    await advanced(broker.consume({ topology, queues: ['q'], prefetch: 0, onDeliveries: (some) => log.add(some) }));
    bus.interrupt();
    const sent = broker.publish(toQueue({ expirationMs: 1_000 }));
    expect(await outcome(sent, 200)).toBe('confirmed');
    const { delivery } = await log.takeOne();
    // It waited from 50 to 100 ms, and a turn or two.
    expect(delivery.properties.expirationMs).toBeLessThanOrEqual(950);
    expect(delivery.properties.expirationMs).toBeGreaterThan(890);
  });

  it('goes on trying when the queue has become another one, until it can be consumed again', async () => {
    const broker = await connect();
    const subscription = await advanced(
      broker.consume({ topology, queues: ['q'], prefetch: 0, onDeliveries: () => undefined }),
    );
    bus.interrupt();
    bus.deleteQueue('q');
    bus.declare([queue('q', { autoDelete: true })]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(subscription.consuming).toBe(false);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'consumers-lost', level: 'warn', queues: ['q'], error: expect.anything() }),
    );
    bus.deleteQueue('q');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(subscription.consuming).toBe(true);
    expect(events.filter(({ type }) => type.startsWith('consumers')).map(({ type }) => type)).toEqual([
      'consumers-lost',
      'consumers-restored',
    ]);
    await advanced(broker.close(), 10_000);
  });

  it('leaves no timer behind when it is closed meanwhile', async () => {
    const broker = await connect();
    await advanced(broker.consume({ topology, queues: ['q'], prefetch: 0, onDeliveries: () => undefined }));
    bus.interrupt();
    const sent = broker.publish(toQueue({ giveUpMs: 60_000 }));
    const end = outcome(sent, 0);
    await advanced(broker.close(), 10_000);
    expect(await end).toMatchObject({ code: 'OSLO_CLOSED' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

function toQueue(message: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { exchange: '', routingKey: 'q', body: '{}', topology, ...message };
}

async function outcome(sent: Promise<void>, afterMs: number): Promise<unknown> {
  const settled = sent.then(
    () => 'confirmed',
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(afterMs);
  return Promise.race([settled, Promise.resolve('pending')]);
}
