import type { MessagingEvent, RabbitOptions } from '../../../lib/index.js';
import type { Delivery } from '../../../lib/broker/broker.js';
import { MemoryBroker, queueIn } from '../../support/memory-broker.js';
import { MemoryBus } from '../../../lib/broker/memory/memory-bus.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { openEnvelope } from '../../../lib/wire/envelope.js';
import { notificationTopology } from '../../../lib/wire/topology.js';

type EventOf<T extends MessagingEvent['type']> = Extract<MessagingEvent, { type: T }>;

/** A bus with clients whose events are kept. */
export class TestBus {
  readonly bus = new MemoryBus();
  readonly events: MessagingEvent[] = [];
  private readonly brokers: MemoryBroker[] = [];

  open(options: RabbitOptions = {}): MemoryBroker {
    const broker = new MemoryBroker(this.bus, resolveRabbitOptions(options));
    broker.events.subscribe((event) => this.events.push(event));
    this.brokers.push(broker);
    return broker;
  }

  reports<T extends MessagingEvent['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  /** Messages of a queue that nobody consumes. */
  waiting(queue: string): number | undefined {
    return queueIn(this.bus, queue)?.messages;
  }

  /** Takes everything out of `<topic>.<priority>` from now on. */
  async drink(topic: string, priority: string, exchange = 'openstack'): Promise<DrunkMessage[]> {
    const drunk: DrunkMessage[] = [];
    const broker = this.open();
    await broker.consume({
      topology: notificationTopology({ exchange, topic, priority }, broker.options),
      queues: [`${topic}.${priority}`],
      prefetch: 0,
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) {
          drunk.push(drunkOf(delivery));
          delivery.ack();
        }
      },
    });
    return drunk;
  }

  async close(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.close()));
  }
}

export interface DrunkMessage {
  exchange: string;
  text: string;
  message: Record<string, unknown>;
}

function drunkOf({ exchange, body, properties: { contentType } }: Delivery): DrunkMessage {
  const message = openEnvelope(body, { maxBytes: 1_000_000, integers: 'exact', contentType });
  return { exchange, text: new TextDecoder().decode(body), message };
}
