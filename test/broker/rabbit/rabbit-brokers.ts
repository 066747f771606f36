import type { MessagingEvent, RabbitOptions } from '../../../lib/index.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { parseTransportUrl } from '../../../lib/config/transport-url.js';
import { Engine } from '../../../lib/broker/engine/engine.js';
import { RabbitLinks } from '../../../lib/broker/rabbit/rabbit-links.js';

/** Some events share one shape for several types. */
type EventOf<T, E = MessagingEvent> = E extends { type: infer U } ? (T extends U ? E : never) : never;

/** A broker whose events are kept. */
export class ObservedBroker extends Engine {
  readonly reported: MessagingEvent[] = [];

  constructor(url: string, options: RabbitOptions) {
    const { hosts, masked, virtualHost } = parseTransportUrl(url);
    const resolved = resolveRabbitOptions(options);
    super({ links: new RabbitLinks(virtualHost, resolved), hosts, url: masked }, resolved);
    this.events.subscribe((event) => this.reported.push(event));
  }

  reports<T extends MessagingEvent['type']>(type: T): EventOf<T>[] {
    return this.reported.filter((event) => event.type === type) as EventOf<T>[];
  }
}

/** Brokers that are closed after each test. */
export function useBrokers(afterEach: (hook: () => Promise<void>) => void): {
  open(url: string, options?: RabbitOptions): ObservedBroker;
} {
  const opened: ObservedBroker[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((broker) => broker.close()));
  });
  return {
    open(url, options = {}) {
      const broker = new ObservedBroker(url, options);
      opened.push(broker);
      return broker;
    },
  };
}
