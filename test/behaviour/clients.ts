import { randomUUID } from 'node:crypto';
import { afterEach } from 'vitest';
import type { MessagingEvent, RabbitOptions } from '../../lib/index.js';
import type { MessageBroker as Broker } from '../../lib/broker/broker.js';
import type { ConsumeRequest, Subscription } from '../../lib/broker/broker.js';
import type { Topology } from '../../lib/wire/topology.js';
import type { BusUnderTest } from './bus-under-test.js';
import { DeliveryLog } from './delivery-log.js';
import { queue } from './declarations.js';

/** Makes the clients of a test, and closes them after it. */
export class Clients {
  private readonly brokers: Broker[] = [];

  constructor(private readonly bus: BusUnderTest) {
    afterEach(async () => {
      await Promise.all(this.brokers.splice(0).map((broker) => broker.close()));
    });
  }

  /** One that has not connected yet. */
  create(options?: RabbitOptions): Broker {
    const broker = this.bus.createBroker(options);
    // What it reports is looked at where a test says so; unheard, it would be printed.
    broker.events.subscribe(() => undefined);
    this.brokers.push(broker);
    return broker;
  }

  async connect(options?: RabbitOptions): Promise<Broker> {
    const broker = this.create(options);
    await broker.connected();
    return broker;
  }
}

/** A name that no other test uses. */
export function unique(name: string): string {
  return `${name}-${randomUUID().slice(0, 8)}`;
}

/** Sends texts to a queue one after the other, through the default exchange. */
export async function fill(broker: Broker, queueName: string, ...texts: string[]): Promise<void> {
  await Promise.all(
    texts.map((body) => broker.publish({ exchange: '', routingKey: queueName, body, mandatory: true })),
  );
}

/** Makes sure that something exists; leaves nothing else behind. */
export async function declare(broker: Broker, topology: Topology): Promise<void> {
  await broker.publish({ exchange: '', routingKey: unique('nowhere'), body: '{}', topology });
}

export interface Consuming {
  log: DeliveryLog;
  subscription: Subscription;
}

/** Consumes queues, which are declared first where no topology says otherwise. */
export async function consume(
  broker: Broker,
  queues: readonly string[],
  request: Partial<ConsumeRequest> = {},
): Promise<Consuming> {
  const log = new DeliveryLog();
  const subscription = await broker.consume({
    topology: queues.map((name) => queue(name)),
    queues,
    prefetch: 0,
    onDeliveries: (deliveries) => log.add(deliveries),
    ...request,
  });
  return { log, subscription };
}

/** The next event that `accepts` takes. */
export function nextEvent(broker: Broker, accepts: (event: MessagingEvent) => boolean): Promise<MessagingEvent> {
  return new Promise((resolve) => {
    const unsubscribe = broker.events.subscribe((event) => {
      if (!accepts(event)) return;
      unsubscribe();
      resolve(event);
    });
  });
}
