import { MessageDeliveryFailure, PreconditionFailed } from '../../errors/delivery.errors.js';
import {
  requireNames,
  type BindingDeclaration,
  type Declaration,
  type ExchangeDeclaration,
  type QueueDeclaration,
  type Topology,
} from '../../wire/topology.js';
import type { QueueInspection } from '../broker.js';
import { exchangeMismatch, queueMismatch } from './declaration-mismatch.js';
import type { MemoryChannel } from './memory-channel.js';
import { withDurabilityFallback } from './durability-fallback.js';
import { MemoryExchange } from './memory-exchange.js';
import type { MemoryMessage } from './memory-message.js';
import { MemoryQueue } from './memory-queue.js';

/** Somebody who uses the bus, connected or not. */
export interface BusClient {
  /** The line was cut; its channels, and what was not acknowledged on them, are gone. */
  interrupted(): void;
  /** The bus reads what is published again. */
  alarmCleared(): void;
  delayChanged(): void;
  /** The bus itself has come to its end. */
  busClosed(): Promise<void>;
}

/** What became of a message: in queues, in none, or (AMQP 404) there was no such exchange. */
export type RoutingOutcome = 'no-exchange' | 'no-queue' | 'queued';

/**
 * A message bus inside the process, with RabbitMQ's rules.
 *
 * It keeps exchanges, queues and messages as a running broker does, whether or not anybody is connected.
 */
export class MemoryBus {
  private readonly exchanges = new Map<string, MemoryExchange>();
  private readonly queues = new Map<string, MemoryQueue>();
  private readonly clients = new Set<BusClient>();
  private isAlarmed = false;
  private eachWayMs = 0;
  /** Whether new connections are taken. */
  accepting = true;

  attach(client: BusClient): void {
    this.clients.add(client);
  }

  detach(client: BusClient): void {
    this.clients.delete(client);
  }

  /** How long everything is under way, in each direction. */
  get delayMs(): number {
    return this.eachWayMs;
  }

  set delayMs(ms: number) {
    this.eachWayMs = ms;
    for (const client of this.clients) client.delayChanged();
  }

  /** Under an alarm nothing is read from those who publish. */
  get alarmed(): boolean {
    return this.isAlarmed;
  }

  set alarmed(alarmed: boolean) {
    if (this.isAlarmed === alarmed) return;
    this.isAlarmed = alarmed;
    if (!alarmed) for (const client of this.clients) client.alarmCleared();
  }

  /** Cuts every line, as a broken network would; the clients come back by themselves. */
  interrupt(): void {
    for (const client of [...this.clients]) client.interrupted();
  }

  /** Ends its clients, and forgets everything. */
  async close(): Promise<void> {
    await Promise.all([...this.clients].map((client) => client.busClosed()));
    this.exchanges.clear();
    const queues = [...this.queues.values()];
    this.queues.clear();
    for (const queue of queues) queue.discard();
  }

  /**
   * As our clients of RabbitMQ do it: something durable falls back to what is there already.
   *
   * @throws PreconditionFailed an object exists with other properties
   * @throws MessageDeliveryFailure a binding names something that does not exist
   */
  declare(topology: Topology): void {
    for (const wanted of topology) {
      this.declareOne(withDurabilityFallback(topology, (kind, name) => this.isTransient(kind, name), wanted));
    }
  }

  route(message: MemoryMessage): RoutingOutcome {
    const queues = this.queuesFor(message);
    if (queues === undefined) return 'no-exchange';
    for (const queue of queues) queue.push(message);
    return queues.size > 0 ? 'queued' : 'no-queue';
  }

  /** @throws MessageDeliveryFailure there is no such queue */
  consume(name: string, channel: MemoryChannel): void {
    const queue = this.queues.get(name);
    if (!queue) throw notFound('queue', name);
    channel.consume(queue);
  }

  /** As a passive declaration at RabbitMQ, this renews the lease of a queue that expires when unused. */
  inspectQueue(name: string): QueueInspection | undefined {
    const queue = this.queues.get(name);
    queue?.renewLease();
    return queue?.inspect();
  }

  hasExchange(name: string): boolean {
    return this.exchanges.has(name);
  }

  /** Deletes an exchange with its bindings, as by hand; the queues stay. */
  deleteExchange(name: string): void {
    this.exchanges.delete(name);
  }

  /** Unlike `inspectQueue`, a look from outside changes nothing. */
  get queueStates(): readonly (QueueInspection & { name: string })[] {
    return [...this.queues.values()].map((queue) => ({ name: queue.name, ...queue.inspect() }));
  }

  /** The messages of a queue that are ready for delivery. */
  messagesIn(name: string): readonly MemoryMessage[] {
    return this.queues.get(name)?.messages ?? [];
  }

  /** Without those to the default exchange, which every queue has. */
  get bindings(): readonly { exchange: string; queue: string; routingKey: string }[] {
    return [...this.exchanges].flatMap(([exchange, { bindings }]) =>
      bindings.map((binding) => ({ exchange, ...binding })),
    );
  }

  /** Deletes a queue with its messages and bindings; its consumers are cancelled. */
  deleteQueue(name: string): void {
    const queue = this.queues.get(name);
    if (queue) this.removeQueue(queue);
  }

  private declareOne(declaration: Declaration): void {
    requireNames(declaration);
    switch (declaration.kind) {
      case 'exchange':
        return this.declareExchange(declaration);
      case 'queue':
        return this.declareQueue(declaration);
      case 'binding':
        return this.bind(declaration);
    }
  }

  private declareExchange(declaration: ExchangeDeclaration): void {
    const existing = this.exchanges.get(declaration.name);
    if (!existing) {
      this.exchanges.set(declaration.name, new MemoryExchange(declaration));
      return;
    }
    const mismatch = exchangeMismatch(existing.declaration, declaration);
    if (mismatch !== undefined) throw new PreconditionFailed(declaration.name, mismatch);
  }

  private declareQueue(declaration: QueueDeclaration): void {
    const existing = this.queues.get(declaration.name);
    if (!existing) {
      this.queues.set(declaration.name, new MemoryQueue(declaration, (queue) => this.removeQueue(queue)));
      return;
    }
    const mismatch = queueMismatch(existing.declaration, declaration);
    if (mismatch !== undefined) throw new PreconditionFailed(declaration.name, mismatch);
    existing.renewLease();
  }

  private bind({ queue: queueName, exchange: exchangeName, routingKey }: BindingDeclaration): void {
    const exchange = this.exchanges.get(exchangeName);
    const queue = this.queues.get(queueName);
    if (!exchange) throw notFound('exchange', exchangeName);
    if (!queue) throw notFound('queue', queueName);
    exchange.bind(queue, routingKey);
  }

  private isTransient(kind: 'exchange' | 'queue', name: string): boolean {
    const existing = kind === 'exchange' ? this.exchanges.get(name) : this.queues.get(name);
    return existing !== undefined && !existing.declaration.durable;
  }

  private queuesFor({ exchange, routingKey }: MemoryMessage): ReadonlySet<MemoryQueue> | undefined {
    if (exchange !== '') return this.exchanges.get(exchange)?.route(routingKey);
    const queue = this.queues.get(routingKey);
    return new Set(queue ? [queue] : []);
  }

  private removeQueue(queue: MemoryQueue): void {
    this.queues.delete(queue.name);
    for (const [name, exchange] of this.exchanges) {
      if (exchange.unbind(queue) && exchange.declaration.autoDelete) this.exchanges.delete(name);
    }
    queue.discard();
  }
}

function notFound(kind: 'exchange' | 'queue', name: string): MessageDeliveryFailure {
  return new MessageDeliveryFailure(`NOT_FOUND - no ${kind} '${name}'`);
}
