import type { QueueInspection } from '../../lib/broker/broker.js';
import { Engine } from '../../lib/broker/engine/engine.js';
import type { Link, LinkProvider } from '../../lib/broker/link.js';
import type { MemoryBus } from '../../lib/broker/memory/memory-bus.js';
import { MemoryLinks } from '../../lib/broker/memory/memory-link.js';
import type { ResolvedRabbitOptions } from '../../lib/config/rabbit-options.js';

/** A client of a bus that the test made itself. */
export class MemoryBroker extends Engine {
  private readonly opened: Set<Link>;

  constructor(bus: MemoryBus, options: ResolvedRabbitOptions, url = 'memory://') {
    const opened = new Set<Link>();
    const memory = new MemoryLinks(bus, url);
    const links: LinkProvider = {
      mayFallSilent: memory.mayFallSilent,
      labelOf: () => url,
      open: async (...request) => {
        const link = await memory.open(...request);
        opened.add(link);
        return link;
      },
    };
    super({ links, hosts: [{ hostname: 'bus', port: 0 }], url }, options);
    this.opened = opened;
    bus.register(this);
  }

  /** Cuts the connections of this client alone. */
  interrupted(): void {
    for (const link of this.opened) link.destroy(new Error('the connection was lost'));
    this.opened.clear();
  }
}

/** A queue as it is right now; undefined: there is none. */
export function queueIn(bus: MemoryBus, queue: string): QueueInspection | undefined {
  const seen = bus.queueStates.find(({ name }) => name === queue);
  return seen && { messages: seen.messages, consumers: seen.consumers };
}
