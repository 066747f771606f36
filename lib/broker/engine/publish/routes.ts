import type { OutgoingMessage } from '../../broker.js';
import type { MissingQueue } from './missing-queue.js';
import type { UnprovenMessage } from './unproven-messages.js';

type Address = Pick<OutgoingMessage, 'exchange' | 'routingKey'>;

/** What is known of an exchange and routing key. */
export class Route {
  /** True when a queue has taken a message that awaits one. */
  isKnown = false;
  /** There while its queue is missing. */
  missing: MissingQueue | undefined;
  /** On the clock of `performance.now()`: until then its queue is not awaited, as it was in vain. */
  obsoleteUntil = 0;
  readonly unproven: UnprovenMessage[] = [];

  constructor(readonly key: string) {}
}

/** So many are remembered, those that came last. */
const rememberedRoutes = 10_000;

/** Routes of messages that await their queue. */
export class Routes {
  private readonly routes = new Map<string, Route>();

  [Symbol.iterator](): IterableIterator<Route> {
    return this.routes.values();
  }

  find(address: Address): Route | undefined {
    return this.routes.get(keyOf(address));
  }

  of(address: Address): Route {
    const key = keyOf(address);
    return this.routes.get(key) ?? this.add(new Route(key));
  }

  private add(route: Route): Route {
    this.routes.set(route.key, route);
    if (this.routes.size > rememberedRoutes) this.forgetOldest();
    return route;
  }

  /** What still holds messages is kept, as the newest: their bytes are bounded. */
  private forgetOldest(): void {
    let looked = 0;
    for (const route of this.routes.values()) {
      this.routes.delete(route.key);
      if (!route.missing && route.unproven.length === 0) return;
      this.routes.set(route.key, route);
      looked += 1;
      if (looked === 8) return;
    }
  }
}

function keyOf({ exchange, routingKey }: Address): string {
  return exchange === '' ? routingKey : `${exchange}\0${routingKey}`;
}
