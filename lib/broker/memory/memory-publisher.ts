import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import type { EventChannel } from '../../events/event-channel.js';
import { refusalOfSize } from '../../wire/message-size.js';
import type { Topology } from '../../wire/topology.js';
import { AwaitedQueues } from '../awaited-queues.js';
import type { OutgoingMessage } from '../broker.js';
import { InFlight } from '../in-flight.js';
import { dropUnrouted, failUnrouted, reportRepublished } from '../message-fates.js';
import type { MemoryBus, RoutingOutcome } from './memory-bus.js';
import type { MemoryLine } from './memory-line.js';
import type { MemoryMessage } from './memory-message.js';
import { PendingPublish } from './pending-publish.js';

export interface PublisherParts {
  bus: MemoryBus;
  line: MemoryLine;
  options: ResolvedRabbitOptions;
  events: EventChannel;
  /** The bus is under an alarm, and has stopped reading what is published here. */
  onUnread(): void;
  /** A message has found no queue, or not even its exchange. */
  onNotRouted(exchange: string): void;
}

/**
 * Whether the bus reads what is published. It tells of an alarm only those who publish: what is written before its
 * first answer would be read when nobody wants it any more.
 */
type Intake = 'closed' | 'open' | 'tried' | 'untried';

/** Brings messages to the bus, and keeps them while the line is down; the bus confirms them once per tick. */
export class MemoryPublisher {
  private intake: Intake = 'closed';
  private waiting = new Set<PendingPublish>();
  private readonly unconfirmed = new Set<PendingPublish>();
  private readonly inFlight: InFlight;
  private taken: PendingPublish[] = [];
  private readonly awaited = new AwaitedQueues<PendingPublish>(
    (messages) => this.publishAgain(messages),
    (pending) => failUnrouted(pending, this.parts.events),
  );
  /** What was declared on this connection. */
  private declared = new WeakSet<Topology>();

  constructor(private readonly parts: PublisherParts) {
    this.inFlight = new InFlight(parts.options);
  }

  publish(message: OutgoingMessage): Promise<void> {
    const refusal = this.refusalOf(message);
    if (refusal) return Promise.reject(refusal);
    const pending = new PendingPublish(message, this.inFlight.add(message));
    if (this.mayWrite) this.send(pending);
    else this.keep(pending);
    return pending.done;
  }

  /** The bus reads what is written: what was kept goes out in its order. */
  resume(): void {
    this.intake = 'untried';
    this.pump();
  }

  private get mayWrite(): boolean {
    return this.intake === 'untried' || this.intake === 'open';
  }

  private pump(): void {
    for (const pending of this.waiting) {
      if (!this.mayWrite) return;
      this.waiting.delete(pending);
      this.send(pending);
    }
  }

  /** The bus has answered after a message. */
  private messageRead(): void {
    if (this.intake !== 'tried') return;
    this.intake = 'open';
    this.pump();
  }

  /** The bus has said that it reads nothing for now. */
  pause(): void {
    this.intake = 'closed';
  }

  /** The line was cut: nobody knows whether the bus had what it did not confirm. */
  interrupted(): void {
    this.intake = 'closed';
    this.declared = new WeakSet();
    this.taken = [];
    const [unconfirmed, kept] = [[...this.unconfirmed], this.waiting];
    this.unconfirmed.clear();
    this.waiting = new Set();
    for (const pending of unconfirmed) this.confirmLost(pending);
    for (const pending of kept) this.waiting.add(pending);
  }

  /** Another attempt to connect came to nothing. */
  attemptFailed(error: Error): void {
    for (const pending of this.waiting) {
      if (pending.mayTryAgain()) continue;
      this.waiting.delete(pending);
      pending.fail(`no connection: ${error.message}`, error);
    }
  }

  /** Tells what the bus has taken. */
  confirmTaken(): void {
    const { taken } = this;
    this.taken = [];
    this.parts.line.down.pass(() => {
      for (const pending of taken) {
        if (!this.unconfirmed.delete(pending)) continue;
        this.awaited.taken(pending);
        pending.resolve();
      }
      this.messageRead();
    });
  }

  /** Gives up what somebody waits for the answer to, which cannot come any more. Resolves when all else is settled. */
  drain(): Promise<unknown> {
    const accepted = [...this.unconfirmed, ...this.waiting, ...this.awaited];
    for (const pending of accepted) if (pending.message.sender) this.end(pending);
    return Promise.allSettled(accepted.map(({ done }) => done));
  }

  close(): void {
    this.intake = 'closed';
    for (const pending of [...this.unconfirmed, ...this.waiting, ...this.awaited.clear()]) this.end(pending);
  }

  private end(pending: PendingPublish): void {
    pending.writtenBefore ||= this.unconfirmed.delete(pending);
    this.waiting.delete(pending);
    this.awaited.delete(pending);
    pending.close();
  }

  private refusalOf(message: OutgoingMessage): Error | undefined {
    return refusalOfSize(message.body, this.parts.options.maxOutgoingMessageBytes) ?? this.inFlight.refusalOf(message);
  }

  private keep(pending: PendingPublish): void {
    this.waiting.add(pending);
    pending.startClock(() => this.waiting.delete(pending));
  }

  private publishAgain(messages: readonly PendingPublish[]): void {
    const kept = this.waiting;
    this.waiting = new Set();
    for (const pending of messages) this.keep(pending);
    for (const pending of kept) this.waiting.add(pending);
    this.pump();
  }

  private confirmLost(pending: PendingPublish): void {
    const { events, options } = this.parts;
    if (pending.message.sender?.ended) return pending.resolve();
    pending.writtenBefore = true;
    if (!options.republishUnconfirmed) return pending.fail('its confirm was lost with the connection');
    if (!pending.mayTryAgain()) return pending.fail('its confirm was lost with the connection, no tries left');
    reportRepublished(pending.message, events);
    this.keep(pending);
  }

  private send(pending: PendingPublish): void {
    pending.stopClock();
    if (pending.message.sender?.ended) return pending.resolve();
    if (pending.msLeft <= 0) return pending.timeOut();
    const message = pending.toMessage();
    this.unconfirmed.add(pending);
    if (this.intake === 'untried') this.intake = 'tried';
    const isThere = this.parts.line.up.pass(() => this.arrive(pending, message));
    if (!isThere) pending.startClock(() => (pending.writtenBefore ||= this.unconfirmed.delete(pending)));
  }

  /** At the bus. */
  private arrive(pending: PendingPublish, message: MemoryMessage): void {
    const { bus, line, onUnread } = this.parts;
    if (bus.alarmed) {
      line.up.refuse(() => this.arrive(pending, message));
      return onUnread();
    }
    const { exchange, routingKey, mandatory, awaitQueue } = pending.message;
    const outcome = this.tryRoute(pending, message);
    if (outcome === 'no-exchange' || (outcome === 'no-queue' && (mandatory || awaitQueue)))
      this.parts.onNotRouted(exchange);
    if (pending.message.sender) pending.message.sender.untaken = outcome === 'no-queue';
    if (outcome === 'no-exchange') this.refuse(pending, pending.failure(`NOT_FOUND - no exchange '${exchange}'`));
    else if (outcome === 'no-queue' && mandatory) this.refuse(pending, new MessageUndeliverable(exchange, routingKey));
    else if (outcome === 'no-queue' && awaitQueue) setImmediate(() => this.returned(pending));
    else if (outcome) this.confirm(pending);
  }

  /** Undefined: it could not be declared, and the promise says so. */
  private tryRoute(pending: PendingPublish, message: MemoryMessage): RoutingOutcome | undefined {
    const { topology } = pending.message;
    const { bus } = this.parts;
    try {
      this.declare(topology);
      const outcome = bus.route(message);
      if (outcome !== 'no-exchange' || !topology) return outcome;
      // An auto-delete exchange goes with its last binding: declared once is not declared for ever.
      this.declared.delete(topology);
      this.declare(topology);
      return bus.route(message);
    } catch (error) {
      this.refuse(pending, error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  private declare(topology: Topology | undefined): void {
    if (!topology || this.declared.has(topology)) return;
    this.parts.bus.declare(topology);
    this.declared.add(topology);
  }

  private returned(pending: PendingPublish): void {
    this.parts.line.down.pass(() => {
      this.messageRead();
      if (!this.unconfirmed.delete(pending)) return;
      pending.startClock(() => this.awaited.delete(pending));
      if (!this.awaited.hold(pending)) dropUnrouted(pending);
    });
  }

  private refuse(pending: PendingPublish, error: Error): void {
    this.parts.line.down.pass(() => {
      if (this.unconfirmed.delete(pending)) pending.reject(error);
      this.messageRead();
    });
  }

  private confirm(pending: PendingPublish): void {
    this.taken.push(pending);
    if (this.taken.length === 1) setImmediate(() => this.confirmTaken());
  }
}
