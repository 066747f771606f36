import type { RabbitOptions } from '../../lib/index.js';
import type { MessageBroker as Broker } from '../../lib/broker/broker.js';

/** What the behaviour suite needs of a bus. */
export interface BusUnderTest {
  /** A new client of the one bus that a spec file uses. */
  createBroker(options?: RabbitOptions): Broker;
  /** Breaks the connections of all clients; resolves when the bus has done so. */
  interrupt(): Promise<void>;
}

/** What the faults suite needs beside. Each resolves when it has taken effect. */
export interface FaultyBus extends BusUnderTest {
  /** New connections are refused, until `accept`; those that are up stay. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** Everything arrives so much later, in each direction. */
  delay(ms: number): Promise<void>;
  /** The broker reads nothing from those who publish, until `unblock`. */
  block(): Promise<void>;
  unblock(): Promise<void>;
  /** Cancels the consumers of a queue, which is gone. */
  cancelConsumers(queue: string): Promise<void>;
}
