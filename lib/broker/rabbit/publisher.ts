import { ClosedError, MessageUndeliverable } from '../../errors/delivery.errors.js';
import { OsloMessagingError } from '../../errors/oslo-messaging.error.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import type { Topology } from '../../wire/topology.js';
import { AwaitedQueues } from '../awaited-queues.js';
import type { OutgoingMessage } from '../broker.js';
import { InFlight, type InFlightLimits } from '../in-flight.js';
import { dropUnrouted, failUnrouted, reportRepublished } from '../message-fates.js';
import { replyText } from './amqp-reply.js';
import type { AttemptFailure, ConnectionSupervisor } from './connection-supervisor.js';
import { DeadlineClock } from './deadline-clock.js';
import type { Line } from './line.js';
import { lostConfirms } from './lost-confirms.js';
import { NackedMessages } from './nacked-messages.js';
import { PendingMessage } from './pending-message.js';
import type { PublishChannel } from './publish-channel.js';
import { type ChannelKeeperObserver, PublishChannelKeeper } from './publish-channel-keeper.js';
import { missingExchangeOf } from './publish-culprit.js';
import { RecentRefusals } from './recent-refusals.js';
import { type ReturnedMessage, ReturnedMessages } from './returned-messages.js';
import { StuckPublishing } from './stuck-publishing.js';
import { NoAnswer } from './spare-channel.js';
import { UndeclaredMessages } from './undeclared-messages.js';

/** Sends messages over one confirm channel, in order, and keeps what has to wait. */
export class Publisher implements ChannelKeeperObserver {
  private waiting = new Set<PendingMessage>();
  private readonly unconfirmed = new Set<PendingMessage>();
  private readonly returns = new ReturnedMessages();
  private readonly nackedMessages = new NackedMessages((messages) => this.publishOnNewChannel(messages));
  private readonly undeclared = new UndeclaredMessages((...outcome) => this.topologyDeclared(...outcome));
  private readonly refusals = new RecentRefusals();
  private readonly inFlight: InFlight;
  private readonly awaited = new AwaitedQueues<PendingMessage>(
    (messages) => this.publishAgain(messages),
    (pending) => failUnrouted(pending, this.events),
  );
  private readonly clock = new DeadlineClock((now) => this.giveUpOverdue(now));
  private readonly channels: PublishChannelKeeper;
  private readonly stuck = new StuckPublishing();
  private closed = false;

  constructor(
    private readonly supervisor: ConnectionSupervisor,
    private readonly gate: { readonly isOpen: boolean },
    private readonly options: InFlightLimits & Pick<ResolvedRabbitOptions, 'republishUnconfirmed'>,
    private readonly events: EventChannel,
    /** Told of each message that finds no queue; without a routing key, that there is no such exchange. */
    private readonly notRouted: (exchange: string, routingKey?: string) => void,
  ) {
    this.inFlight = new InFlight(options);
    this.channels = new PublishChannelKeeper(supervisor, this);
    supervisor.listen({
      lineOpened: () => this.pump(),
      attemptFailed: (failure) => this.attemptFailed(failure),
    });
  }

  publish(message: OutgoingMessage): Promise<void> {
    if (this.closed) return Promise.reject(new ClosedError('broker'));
    const refusal = this.inFlight.refusalOf(message);
    if (refusal) return Promise.reject(refusal);
    const pending = new PendingMessage(message, this.inFlight.add(message));
    const refused = this.refusals.reasonFor(pending);
    if (message.sender?.ended) pending.resolve();
    else if (refused !== undefined) pending.fail(refused);
    else this.send(pending);
    return pending.promise;
  }

  /**
   * Takes nothing more, and gives up what somebody waits for the answer to, which cannot come any more. Resolves when
   * all that it has taken is settled.
   */
  drain(): Promise<unknown> {
    this.closed = true;
    const accepted = this.pending;
    for (const pending of accepted) if (pending.message.sender) this.end(pending);
    return Promise.allSettled(accepted.map(({ promise }) => promise));
  }

  close(): void {
    this.closed = true;
    this.channels.close();
    this.clock.stop();
    for (const pending of this.pending) this.end(pending);
    this.nackedMessages.clear();
    this.awaited.clear();
  }

  confirmed(channel: PublishChannel, pending: PendingMessage): void {
    this.stuck.confirmed();
    if (!this.forget(pending)) return;
    this.awaited.taken(pending);
    pending.taken(true);
    pending.resolve();
    this.retireWhenDone(channel);
  }

  nacked(channel: PublishChannel, pending: PendingMessage): void {
    if (!this.forget(pending)) return;
    if (pending.mayTryAgain()) this.nackedMessages.hold(pending);
    else pending.fail('the broker could not take it (nack)', { host: channel.line.host, unconfirmed: true });
    this.retireWhenDone(channel);
  }

  returned(channel: PublishChannel, returned: ReturnedMessage): void {
    const pending = this.returns.match(returned);
    if (!pending || !this.forget(pending)) return;
    const { exchange, routingKey } = returned;
    pending.channel = undefined;
    pending.taken(false);
    this.notRouted(exchange, routingKey);
    if (pending.message.mandatory) pending.reject(new MessageUndeliverable(exchange, routingKey));
    else if (!this.awaited.hold(pending)) dropUnrouted(pending);
    this.retireWhenDone(channel);
  }

  channelLost(channel: PublishChannel, error: Error | undefined): void {
    if (error) channel.line.declarer.forget();
    this.refusals.channelLost(error);
    const missing = missingExchangeOf(error);
    if (missing !== undefined) this.notRouted(missing);
    this.channels.lost(channel, this.sortOutUnconfirmed(channel, error));
    // Where it had been replaced before.
    this.pump();
  }

  channelOpened(before: PublishChannel | undefined): void {
    if (before) this.retireWhenDone(before);
    this.pump();
  }

  verify(): Promise<void> {
    return this.stuck.look(this.channels.current, this.unconfirmed);
  }

  private get pending(): PendingMessage[] {
    return [this.unconfirmed, ...this.parked].flatMap((messages) => [...messages]);
  }

  private get parked(): readonly (Iterable<PendingMessage> & { delete(pending: PendingMessage): boolean })[] {
    return [this.waiting, this.nackedMessages, this.awaited, this.undeclared];
  }

  private end(pending: PendingMessage): void {
    this.takeOut(pending);
    pending.close();
  }

  private takeOut(pending: PendingMessage): void {
    for (const messages of this.parked) messages.delete(pending);
    if (!this.forget(pending)) return;
    pending.writtenBefore = true;
    this.retireWhenDone(pending.channel as PublishChannel);
  }

  /** What keeps messages from being sent now. */
  private get hindrance(): string | undefined {
    const { line, lastFailure } = this.supervisor;
    if (!line) return `there is no connection to the broker${lastFailure ? ` (${lastFailure.reason})` : ''}`;
    return line.blocked ? 'the broker takes no messages' : undefined;
  }

  private send(pending: PendingMessage): void {
    if (this.mayWriteAtOnce(pending.message.topology)) {
      this.write(this.channels.current!, pending, true);
    } else {
      this.waiting.add(pending);
      this.pump();
    }
    if (pending.deadline !== Infinity) this.clock.watch(pending.deadline);
  }

  private publishAgain(messages: PendingMessage[]): void {
    this.waiting = new Set([...messages, ...this.waiting]);
    this.pump();
  }

  private publishOnNewChannel(messages: PendingMessage[]): void {
    this.waiting = new Set([...messages, ...this.waiting]);
    this.channels.renew();
  }

  private mayWriteAtOnce(topology: Topology | undefined): boolean {
    const { current } = this.channels;
    if (this.waiting.size > 0 || !this.gate.isOpen || !current?.takesMessages) return false;
    return topology === undefined || current.line.declarer.isDeclared(topology);
  }

  private write(channel: PublishChannel, pending: PendingMessage, atOnce: boolean): void {
    if (pending.writtenBefore) reportRepublished(pending.message, this.events);
    pending.channel = channel;
    this.unconfirmed.add(pending);
    this.returns.written(pending);
    try {
      channel.write(pending, atOnce);
    } catch (error) {
      if (this.forget(pending)) pending.fail(replyText(error), { cause: error });
    }
  }

  private forget(pending: PendingMessage): boolean {
    this.returns.settled(pending);
    return this.unconfirmed.delete(pending);
  }

  /** Writes what waits and can be sent now. */
  pump(): void {
    if (!this.gate.isOpen) return;
    for (const pending of this.waiting) {
      const { current: channel } = this.channels;
      if (!channel?.takesMessages) return;
      // It has refused this one; another channel is on its way.
      if (pending.channel === channel) continue;
      this.waiting.delete(pending);
      const now = performance.now();
      const { topology } = pending.message;
      if (pending.message.sender?.ended) pending.resolve();
      else if (pending.deadline <= now) pending.timeOut(now);
      else if (topology && !channel.line.declarer.isDeclared(topology)) {
        this.undeclared.hold(channel.line, topology, pending);
      } else this.write(channel, pending, false);
    }
  }

  private topologyDeclared(line: Line, messages: PendingMessage[], error?: unknown): void {
    // A connection that died in the middle has decided nothing, unless it died of that.
    const isRefused = error instanceof OsloMessagingError;
    if (error === undefined || !(line.alive || isRefused)) return this.publishAgain(messages);
    const again: PendingMessage[] = [];
    for (const pending of messages) {
      if (error instanceof NoAnswer && pending.mayTryAgain()) again.push(pending);
      else if (error instanceof OsloMessagingError) pending.reject(error);
      else pending.fail(replyText(error), { cause: error, host: line.host });
    }
    this.publishAgain(again);
  }

  /** A channel that another one has replaced stays for its confirms. */
  private retireWhenDone(channel: PublishChannel): void {
    if (channel === this.channels.current) return;
    for (const pending of this.unconfirmed) if (pending.channel === channel) return;
    channel.retire();
  }

  /** Returns whether what was to blame is out of the way. */
  private sortOutUnconfirmed(channel: PublishChannel, error: Error | undefined): boolean {
    const { host } = channel.line;
    const lost = [...this.unconfirmed].filter((pending) => pending.channel === channel);
    for (const pending of lost) this.forget(pending);
    const { again, given, cured } = lostConfirms(lost, error, this.options.republishUnconfirmed);
    for (const { pending, reason, refused } of given) {
      if (refused) pending.refuse(reason, { cause: error, host });
      else pending.fail(reason, { cause: error, host });
    }
    this.waiting = new Set([...again, ...this.waiting]);
    return cured;
  }

  private attemptFailed({ host, reason, error }: AttemptFailure): void {
    for (const pending of this.waiting) {
      if (pending.mayTryAgain()) continue;
      this.waiting.delete(pending);
      pending.fail(`no connection to ${host}: ${reason}`, { cause: error, host });
    }
  }

  private giveUpOverdue(now: number): number {
    let next = Infinity;
    for (const pending of this.pending) {
      if (pending.deadline > now) {
        next = Math.min(next, pending.deadline);
      } else {
        this.takeOut(pending);
        pending.timeOut(now, this.hindrance);
      }
    }
    return next;
  }
}
