import { afterEach, vi } from 'vitest';
import {
  type MessagingEvent,
  type RabbitOptions,
  RpcClient,
  type RpcClientOptions,
  type RpcEndpoint,
  RpcServer,
  type RpcServerOptions,
  type Target,
} from '../../../../lib/index.js';
import { MemoryBroker } from '../../../support/memory-broker.js';
import { MemoryBus } from '../../../../lib/broker/memory/memory-bus.js';
import { resolveRabbitOptions } from '../../../../lib/config/rabbit-options.js';
import { advanced } from '../../../support/virtual-time.js';
import { RawPeer } from './raw-peer.js';

export const TARGET = { exchange: 'nova', topic: 'conductor' };

type Methods = RpcEndpoint['methods'];

/** An embedded bus for one test, with whoever is on it. */
export class RpcBus {
  readonly bus = new MemoryBus();
  readonly events: MessagingEvent[] = [];
  private readonly brokers: MemoryBroker[] = [];

  broker(options: RabbitOptions = {}): MemoryBroker {
    const broker = new MemoryBroker(this.bus, resolveRabbitOptions(options));
    broker.events.subscribe((event) => this.events.push(event));
    this.brokers.push(broker);
    return broker;
  }

  /** As long as the returned gate is closed, nothing can be consumed over this broker. */
  unreachable(broker: MemoryBroker): Gate {
    const gate = new Gate();
    const consume = broker.consume.bind(broker);
    broker.consume = async (request) => {
      await gate.opened;
      return consume(request);
    };
    return gate;
  }

  peer(): RawPeer {
    return new RawPeer(this.broker());
  }

  /** Not started. */
  server(
    endpoints: readonly RpcEndpoint[],
    options?: RpcServerOptions,
    target: Target = { ...TARGET, server: 'host1' },
    broker = this.broker(),
  ): RpcServer {
    return new RpcServer(broker, target, endpoints, options);
  }

  /** One endpoint in the null namespace, version 1.0. */
  async serve(methods: Methods, options?: RpcServerOptions): Promise<RpcServer> {
    const server = this.server([{ methods }], options);
    await server.start();
    return server;
  }

  client(options?: RpcClientOptions, target: Target = TARGET, broker = this.broker()): RpcClient {
    return new RpcClient(broker, target, options);
  }

  eventsOf<T extends MessagingEvent['type']>(type: T): Extract<MessagingEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<MessagingEvent, { type: T }> => event.type === type);
  }

  async close(): Promise<void> {
    await Promise.all(this.brokers.splice(0).map((broker) => broker.close()));
  }
}

/** A bus for each test of the file, closed after it, under the clock that the test left, real or fake. */
export function useRpcBus(): () => RpcBus {
  let current: RpcBus | undefined;
  afterEach(async () => {
    const closing = current?.close();
    current = undefined;
    await (vi.isFakeTimers() ? advanced(Promise.resolve(closing), 60_000) : closing);
    vi.useRealTimers();
  });
  return () => (current ??= new RpcBus());
}

/** A promise and its ends, for handlers that wait until a test says so. */
export class Gate<T = void> {
  open!: (value: T) => void;
  fail!: (error: unknown) => void;
  readonly opened = new Promise<T>((resolve, reject) => {
    this.open = resolve;
    this.fail = reject;
  });
}
