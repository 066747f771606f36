import { afterAll } from 'vitest';
import {
  createBroker,
  type MessagingEvent,
  type RabbitOptions,
  RpcClient,
  type RpcClientOptions,
  type RpcEndpoint,
  RpcServer,
  type RpcServerOptions,
  type Target,
} from '../../../lib/index.js';
import type { Broker } from '../../../lib/index.js';

/** Our clients and servers on one virtual host, each with connections of its own. */
export class RpcEnds {
  readonly events: MessagingEvent[] = [];
  private readonly ends: { close(): Promise<void> }[] = [];
  private readonly brokers: Broker[] = [];

  constructor(private readonly url: () => string) {}

  broker(options?: RabbitOptions, url = this.url()): Broker {
    const broker = createBroker(url, options);
    broker.events.subscribe((event) => this.events.push(event));
    this.brokers.push(broker);
    return broker;
  }

  client(target: Target, options?: RpcClientOptions, broker = this.broker()): RpcClient {
    const client = new RpcClient(broker, target, options);
    this.ends.push(client);
    return client;
  }

  async serve(
    target: Target,
    endpoints: readonly RpcEndpoint[],
    options?: RpcServerOptions,
    broker = this.broker(),
  ): Promise<RpcServer> {
    const server = new RpcServer(broker, target, endpoints, options);
    this.ends.push(server);
    await server.start();
    return server;
  }

  eventsOf<T extends MessagingEvent['type']>(type: T): Extract<MessagingEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<MessagingEvent, { type: T }> => event.type === type);
  }

  async close(): Promise<void> {
    await Promise.all(this.ends.splice(0).map((end) => end.close()));
    await Promise.all(this.brokers.splice(0).map((broker) => broker.close()));
  }
}

/** Closed after the last test of the `describe`. */
export function useRpcEnds(url: () => string): RpcEnds {
  const ends = new RpcEnds(url);
  afterAll(() => ends.close());
  return ends;
}
