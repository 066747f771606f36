import {
  requireNames,
  type BindingDeclaration,
  type Declaration,
  type ExchangeDeclaration,
  type QueueDeclaration,
  type Topology,
} from '../../wire/topology.js';
import type { QueueInspection } from '../broker.js';
import { BrokerRefusal, type LinkMessage, ReplyCode } from '../link.js';
import { exchangeMismatch, queueMismatch } from './declaration-mismatch.js';
import { MemoryExchange } from './memory-exchange.js';
import type { MemoryMessage } from './memory-message.js';
import { MemoryQueue } from './memory-queue.js';

/** The verbs of a client. */
export type Verb = 'bind' | 'consume' | 'declare' | 'delete' | 'inspect' | 'publish';

/** A connection of a client, as the bus sees it. */
export interface AttachedConnection {
  alarmCleared(): void;
  delayChanged(): void;
  /** A broken network, both ends of which notice. */
  cut(): void;
  /** The bus is gone, for good. */
  end(): void;
}

/** Faults on demand, beside those of connections and channels. */
export interface BusFaults {
  /** Why the bus refuses it. */
  refusal?(verb: Verb, name: string): BrokerRefusal | undefined;
  /** True when the bus does not take charge of a message (`basic.nack`). */
  nacks?(message: LinkMessage): boolean;
  /** How many copies of a message each queue gets. */
  copies?(message: LinkMessage): number;
}

/**
 * A message bus inside the process, with RabbitMQ's rules.
 *
 * It keeps exchanges, queues and messages as a running broker does, whether or not anybody is connected.
 */
export class MemoryBus {
  faults: BusFaults = {};
  /** True when new connections are taken. */
  accepting = true;
  private readonly exchanges = new Map<string, MemoryExchange>();
  private readonly queues = new Map<string, MemoryQueue>();
  private readonly open = new Set<AttachedConnection>();
  private readonly clients = new Set<{ close(): Promise<void> }>();
  private isAlarmed = false;
  private eachWayMs = 0;

  /** `mayFallSilent`: whether its connections may end without a word, so that clients have to watch for it. */
  constructor(readonly mayFallSilent = false) {}

  /** Somebody who uses the bus, connected or not, and ends with it. */
  register(client: { close(): Promise<void> }): void {
    this.clients.add(client);
  }

  unregister(client: { close(): Promise<void> }): void {
    this.clients.delete(client);
  }

  attach(connection: AttachedConnection): void {
    this.open.add(connection);
  }

  /** Its exclusive queues go with it. */
  detach(connection: AttachedConnection): void {
    this.open.delete(connection);
    for (const queue of this.queues.values()) if (queue.owner === connection) this.removeQueue(queue);
  }

  get connections(): readonly AttachedConnection[] {
    return [...this.open];
  }

  /** How long everything is under way, in each direction. */
  get delayMs(): number {
    return this.eachWayMs;
  }

  set delayMs(ms: number) {
    this.eachWayMs = ms;
    for (const connection of this.open) connection.delayChanged();
  }

  /** Under an alarm nothing is read from those who publish. */
  get alarmed(): boolean {
    return this.isAlarmed;
  }

  set alarmed(alarmed: boolean) {
    if (this.isAlarmed === alarmed) return;
    this.isAlarmed = alarmed;
    if (!alarmed) for (const connection of this.open) connection.alarmCleared();
  }

  /** Cuts every connection, as a broken network would; the clients come back by themselves. */
  interrupt(): void {
    for (const connection of this.connections) connection.cut();
  }

  /** Ends its clients, and forgets everything. */
  async close(): Promise<void> {
    this.accepting = false;
    for (const connection of this.connections) connection.end();
    await Promise.all([...this.clients].map((client) => client.close()));
    this.exchanges.clear();
    const queues = [...this.queues.values()];
    this.queues.clear();
    for (const queue of queues) queue.discard();
  }

  /** For tests: what a client declares, in one step. */
  declare(topology: Topology): void {
    for (const declaration of topology) this.declareOne(declaration);
  }

  /** @throws BrokerRefusal 406 it exists with other properties */
  declareExchange(declaration: ExchangeDeclaration): void {
    this.allow('declare', declaration.name);
    const existing = this.exchanges.get(declaration.name);
    const mismatch = existing && exchangeMismatch(existing.declaration, declaration);
    if (mismatch !== undefined) throw inequivalent('exchange', declaration.name, mismatch);
    if (!existing) this.exchanges.set(declaration.name, new MemoryExchange(declaration));
  }

  /** @throws BrokerRefusal 406 it exists with other properties; 405 it is somebody else's */
  declareQueue(declaration: QueueDeclaration, by?: AttachedConnection): void {
    this.allow('declare', declaration.name);
    const existing = this.queues.get(declaration.name);
    if (existing) requireAccess(existing, by);
    const mismatch = existing && queueMismatch(existing.declaration, declaration);
    if (mismatch !== undefined) throw inequivalent('queue', declaration.name, mismatch);
    if (existing) return existing.renewLease();
    const owner = declaration.exclusive ? by : undefined;
    this.queues.set(declaration.name, new MemoryQueue(declaration, (queue) => this.removeQueue(queue), owner));
  }

  /** @throws BrokerRefusal 404 one of both does not exist; 405 the queue is somebody else's */
  bind({ queue, exchange, routingKey }: BindingDeclaration, by?: AttachedConnection): void {
    this.allow('bind', queue);
    const target = this.requireQueue(queue, by);
    this.requireExchange(exchange).bind(target, routingKey);
  }

  /**
   * As a passive declaration at RabbitMQ, this renews the lease of a queue that expires when unused.
   *
   * @throws BrokerRefusal 404; 405 it is somebody else's
   */
  inspect(name: string, by?: AttachedConnection): QueueInspection {
    this.allow('inspect', name);
    const queue = this.requireQueue(name, by);
    queue.renewLease();
    return queue.inspect();
  }

  /** @throws BrokerRefusal 404 */
  requireExchange(name: string): MemoryExchange {
    const exchange = this.exchanges.get(name);
    if (!exchange) throw notFound('exchange', name);
    return exchange;
  }

  /** @throws BrokerRefusal 404; 405 it is somebody else's */
  requireQueue(name: string, by?: AttachedConnection): MemoryQueue {
    const queue = this.queues.get(name);
    if (!queue) throw notFound('queue', name);
    requireAccess(queue, by);
    return queue;
  }

  /** @throws BrokerRefusal 404; 405 it is somebody else's */
  queueToConsume(name: string, by?: AttachedConnection): MemoryQueue {
    this.allow('consume', name);
    return this.requireQueue(name, by);
  }

  /**
   * Deletes a queue with its messages and bindings; its consumers are cancelled. One that is gone already is fine.
   *
   * @throws BrokerRefusal 406 it is not empty; 405 it is somebody else's
   */
  deleteQueue(name: string, condition: { ifEmpty?: boolean } = {}, by?: AttachedConnection): void {
    this.allow('delete', name);
    const queue = this.queues.get(name);
    if (!queue) return;
    requireAccess(queue, by);
    if (condition.ifEmpty && queue.inspect().messages > 0) {
      throw new BrokerRefusal(
        ReplyCode.preconditionFailed,
        `PRECONDITION_FAILED - queue '${name}' in vhost '/' not empty`,
      );
    }
    this.removeQueue(queue);
  }

  /** Deletes an exchange with its bindings, as by hand; the queues stay. */
  deleteExchange(name: string): void {
    this.exchanges.delete(name);
  }

  /** True when some queue was bound for it, and whether the bus has taken charge of it. @throws BrokerRefusal 404 */
  publish(message: LinkMessage): { routed: boolean; taken: boolean } {
    this.allow('publish', message.exchange);
    const queues = this.queuesFor(message);
    if (this.faults.nacks?.(message)) return { routed: queues.size > 0, taken: false };
    const copies = this.faults.copies?.(message) ?? 1;
    const kept = asKept(message);
    for (const queue of queues) for (let copy = 0; copy < copies; copy++) queue.push(kept);
    return { routed: queues.size > 0, taken: true };
  }

  hasExchange(name: string): boolean {
    return this.exchanges.has(name);
  }

  /** Unlike `inspect`, a look from outside changes nothing. */
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

  private allow(verb: Verb, name: string): void {
    const refusal = this.faults.refusal?.(verb, name);
    if (refusal) throw refusal;
  }

  private queuesFor({ exchange, routingKey }: LinkMessage): ReadonlySet<MemoryQueue> {
    if (exchange !== '') return this.requireExchange(exchange).route(routingKey);
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

/** As RabbitMQ hands it on: bytes of its own, and the properties that all our messages have. */
function asKept({ exchange, routingKey, body, expiration }: LinkMessage): MemoryMessage {
  return {
    exchange,
    routingKey,
    content: Buffer.from(body),
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    expiration,
    headers: {},
  };
}

function inequivalent(kind: 'exchange' | 'queue', name: string, difference: string): BrokerRefusal {
  const text = difference.replace(': received', ` for ${kind} '${name}' in vhost '/': received`);
  return new BrokerRefusal(ReplyCode.preconditionFailed, `PRECONDITION_FAILED - ${text}`);
}

/** An exclusive queue is its connection's alone. */
function requireAccess({ name, owner }: MemoryQueue, by: AttachedConnection | undefined): void {
  if (owner === undefined || owner === by) return;
  throw new BrokerRefusal(
    ReplyCode.resourceLocked,
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${name}' in vhost '/'`,
  );
}

function notFound(kind: 'exchange' | 'queue', name: string): BrokerRefusal {
  return new BrokerRefusal(ReplyCode.notFound, `NOT_FOUND - no ${kind} '${name}' in vhost '/'`);
}
