import { ClosedError } from '../../../errors/delivery.errors.js';
import { OsloMessagingError } from '../../../errors/oslo-messaging.error.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { longestTimerMs } from '../../../events/longest-timer.js';
import type { ResolvedRabbitOptions } from '../../../config/rabbit-options.js';
import type { Topology } from '../../../wire/topology.js';
import { InFlight, type InFlightLimits } from '../../bounds/in-flight.js';
import type { InFlightLoads, OutgoingMessage } from '../../broker.js';
import type { BrokerRefusal, ReturnedMessage } from '../../link.js';
import { missingExchangeOf } from '../../refusal-words.js';
import { NoAnswer } from '../connection/broker-request.js';
import type { AttemptFailure, Connection } from '../connection/connection.js';
import { replyText } from '../connection/reply-codes.js';
import type { Session } from '../connection/session.js';
import { RecentRefusals, sortOutLostConfirms } from './channel-errors.js';
import { MessageQueue, NackedMessages } from './message-queue.js';
import { type MissingQueueOptions, MissingQueues, type MissingQueuesObserver } from './missing-queues.js';
import { type AcceptedMessage, PendingMessage } from './pending-message.js';
import type { PublishChannel } from './publish-channel.js';
import { PublishChannels, type PublishChannelsObserver } from './publish-channels.js';
import { UndeclaredMessages } from './undeclared-messages.js';

export interface PublisherParts {
  connection: Connection;
  gate: { readonly isOpen: boolean };
  options: InFlightLimits & MissingQueueOptions & Pick<ResolvedRabbitOptions, 'republishUnconfirmed'>;
  events: EventChannel;
  onConfirmed(): void;
  /** Told of each message that finds no queue; without a routing key, that there is no such exchange. */
  onUnrouted(exchange: string, routingKey?: string): void;
}

const deadlineGranularityMs = 5;

/** Sends messages over one confirm channel, in order, and keeps what has to wait. */
export class Publisher implements MissingQueuesObserver, PublishChannelsObserver {
  /** Those without an outcome; the unconfirmed ones among them in the order in which they were written. */
  private readonly pending = new Set<PendingMessage>();
  private readonly queue = new MessageQueue();
  private readonly undeclared = new UndeclaredMessages((...outcome) => this.topologyDeclared(...outcome));
  private readonly nackedMessages = new NackedMessages((messages) => this.publishOnNewChannel(messages));
  private readonly missingQueues: MissingQueues;
  private readonly refusals = new RecentRefusals();
  private readonly inFlight: InFlight;
  private readonly channels: PublishChannels;
  private readonly deadlines = new DeadlineTimer((now) => this.giveUpOverdue(now));
  /** One for all messages. */
  private readonly onSettled = (settled: PendingMessage): void => {
    this.inFlight.release(settled.message, settled.bytes);
    this.pending.delete(settled);
    if (this.pending.size === 0) this.deadlines.stop();
  };
  private state: 'ending' | 'open' = 'open';

  constructor(private readonly parts: PublisherParts) {
    const { connection, events, options } = parts;
    this.inFlight = new InFlight(options);
    this.missingQueues = new MissingQueues(this, options, events);
    this.channels = new PublishChannels(connection, this);
    connection.listen({
      opened: () => this.pump(),
      attemptFailed: (failure) => this.attemptFailed(failure),
    });
  }

  /** The channel that messages are written to now, if any is not confirmed on it. */
  get awaitedChannel(): PublishChannel | undefined {
    const { current } = this.channels;
    return current?.hasUnconfirmed && current.isRead ? current : undefined;
  }

  get loads(): InFlightLoads {
    return this.inFlight.loads;
  }

  publish(message: AcceptedMessage): Promise<void> {
    if (this.state !== 'open') return Promise.reject(new ClosedError('broker'));
    const refusal = this.inFlight.refusalOf(message);
    if (refusal) return Promise.reject(refusal);
    const pending = new PendingMessage(message, this.onSettled);
    pending.bytes = this.inFlight.add(message);
    const recent = this.refusals.refusalOf(pending);
    if (pending.isAbandoned) pending.resolve();
    else if (recent) pending.fail(replyText(recent), { cause: recent });
    else {
      this.watch(pending);
      if (!this.missingQueues.add(pending)) this.send(pending);
    }
    return pending.promise;
  }

  /**
   * Takes nothing more, and gives up what can do no good any more: requests whose answer somebody waits for, and answers
   * whose queue is missing. Resolves when all that it has taken is settled.
   */
  drain(): Promise<unknown> {
    this.state = 'ending';
    const accepted = [...this.pending];
    for (const pending of accepted) {
      const { owner, purpose } = pending.message;
      if (purpose === 'owed' ? pending.at.name === 'unrouted' : owner) this.end(pending);
    }
    // The gate keeps nothing back any more.
    this.pump();
    return Promise.allSettled(accepted.map(({ promise }) => promise));
  }

  close(): void {
    this.state = 'ending';
    this.channels.close();
    this.deadlines.stop();
    this.nackedMessages.close();
    this.missingQueues.close();
    for (const pending of this.pending) this.end(pending);
  }

  confirmed(channel: PublishChannel, pending: PendingMessage): void {
    this.parts.onConfirmed();
    if (pending.at !== channel) return;
    pending.message.owner?.routed(true);
    pending.resolve();
    this.missingQueues.routed(pending);
  }

  nacked(channel: PublishChannel, pending: PendingMessage): void {
    if (pending.at !== channel) return;
    pending.refusedOn = channel;
    if (pending.useTry()) pending.move(this.nackedMessages);
    else pending.fail('the broker could not take it (nack)', { host: channel.session.host, unconfirmed: true });
  }

  returned(channel: PublishChannel, returned: ReturnedMessage): void {
    const pending = this.returnedMessage(channel, returned);
    if (!pending) return;
    const { exchange, routingKey } = returned;
    pending.message.owner?.routed(false);
    this.parts.onUnrouted(exchange, routingKey);
    this.missingQueues.unrouted(pending);
  }

  channelLost(channel: PublishChannel, refusal: BrokerRefusal | undefined): void {
    if (refusal) channel.session.declarer.forget();
    this.refusals.note(refusal);
    const missing = missingExchangeOf(refusal);
    if (missing !== undefined) this.parts.onUnrouted(missing);
    this.channels.lost(channel, this.sortOutUnconfirmed(channel, refusal));
    // It may have been replaced before.
    this.pump();
  }

  channelOpened(): void {
    this.pump();
  }

  /** Writes what waits and can be sent now. */
  pump(): void {
    if (!this.parts.gate.isOpen) return;
    for (const pending of this.queue.messages) {
      const { current: channel } = this.channels;
      if (!channel?.takesMessages) return;
      // It has refused this one; another channel is on its way.
      if (pending.refusedOn === channel) continue;
      const now = performance.now();
      const { topology } = pending.message;
      if (pending.isAbandoned) pending.resolve();
      else if (pending.deadline <= now) pending.timeOut(now);
      else if (topology && !channel.session.declarer.isDeclared(topology)) {
        this.undeclared.add(channel.session, topology, pending);
      } else this.write(channel, pending, false);
    }
  }

  publishAgain(messages: readonly PendingMessage[]): void {
    this.queue.putBack(messages);
    this.pump();
  }

  repeated({ message, deadline }: PendingMessage): PendingMessage {
    const giveUpMs = deadline - performance.now();
    const pending = new PendingMessage({ ...message, giveUpMs, owner: undefined }, this.onSettled);
    pending.promise.catch(() => undefined);
    this.watch(pending);
    return pending;
  }

  private watch(pending: PendingMessage): void {
    this.pending.add(pending);
    if (pending.deadline !== Infinity) this.deadlines.watch(pending.deadline);
  }

  private send(pending: PendingMessage): void {
    if (this.mayWriteAtOnce(pending.message.topology)) {
      this.write(this.channels.current!, pending, true);
    } else {
      pending.move(this.queue);
      this.pump();
    }
  }

  private publishOnNewChannel(messages: PendingMessage[]): void {
    this.queue.putBack(messages);
    if (this.channels.renew()) return;
    // Without another channel they go out on the one that has refused them.
    for (const pending of messages) pending.refusedOn = undefined;
    this.pump();
  }

  private mayWriteAtOnce(topology: Topology | undefined): boolean {
    const { current } = this.channels;
    if (this.queue.messages.size > 0 || !this.parts.gate.isOpen || !current?.takesMessages) return false;
    return topology === undefined || current.session.declarer.isDeclared(topology);
  }

  private write(channel: PublishChannel, pending: PendingMessage, atOnce: boolean): void {
    const { writtenBefore } = pending;
    if (!atOnce) {
      // Behind all that was written before.
      this.pending.delete(pending);
      this.pending.add(pending);
    }
    pending.move(channel);
    try {
      channel.write(pending, atOnce);
    } catch (error) {
      if (pending.at === channel) pending.fail(replyText(error), { cause: error });
      return;
    }
    if (writtenBefore) this.reportRepublished(pending.message);
  }

  private topologyDeclared(session: Session, messages: PendingMessage[], error?: unknown): void {
    // A connection that died in the middle has decided nothing, unless it died of that.
    const isRefused = error instanceof OsloMessagingError;
    if (error === undefined || !(session.alive || isRefused)) return this.publishAgain(messages);
    const again: PendingMessage[] = [];
    for (const pending of messages) {
      if (error instanceof NoAnswer && pending.useTry()) again.push(pending);
      else if (isRefused) pending.reject(error);
      else pending.fail(replyText(error), { cause: error, host: session.host });
    }
    this.publishAgain(again);
  }

  /**
   * Which message a `basic.return` is about. We put no id on the wire that Python does not; returns come in the order
   * of publishing, so it is the oldest with the same bytes.
   */
  private returnedMessage(channel: PublishChannel, returned: ReturnedMessage): PendingMessage | undefined {
    for (const pending of this.pending) {
      if (pending.at !== channel || !pending.mandatory) continue;
      const { exchange, routingKey } = pending.message;
      if (exchange !== returned.exchange || routingKey !== returned.routingKey) continue;
      if (pending.hasContent(returned.content)) return pending;
    }
    return undefined;
  }

  /** Returns whether what was to blame is out of the way. */
  private sortOutUnconfirmed(channel: PublishChannel, refusal: BrokerRefusal | undefined): boolean {
    const { host } = channel.session;
    const lost = [...this.pending].filter((pending) => pending.at === channel);
    const { again, failed, cured } = sortOutLostConfirms(lost, refusal, this.parts.options.republishUnconfirmed);
    for (const { pending, reason, refused } of failed) {
      if (refused) pending.refuse(reason, { cause: refusal, host });
      else pending.fail(reason, { cause: refusal, host });
    }
    this.queue.putBack(again);
    return cured;
  }

  private attemptFailed({ host, reason, error }: AttemptFailure): void {
    for (const pending of this.queue.messages) {
      if (!pending.useTry()) pending.fail(`no connection to ${host}: ${reason}`, { cause: error, host });
    }
  }

  private reportRepublished({ exchange, routingKey }: OutgoingMessage): void {
    const message = `Published again, its confirm was lost: exchange '${exchange}', routing key '${routingKey}'`;
    this.parts.events.emit({ type: 'message-republished', level: 'warn', message, exchange, routingKey });
  }

  private giveUpOverdue(now: number): number {
    let next = Infinity;
    for (const pending of this.pending) {
      if (pending.deadline > now) {
        next = Math.min(next, pending.deadline);
      } else {
        this.noteWritten(pending);
        pending.timeOut(now, this.hindrance);
      }
    }
    return next;
  }

  private end(pending: PendingMessage): void {
    this.noteWritten(pending);
    pending.close();
  }

  private noteWritten(pending: PendingMessage): void {
    if (pending.at.name === 'unconfirmed') pending.writtenBefore = true;
  }

  /** The reason that messages are not sent now. */
  private get hindrance(): string | undefined {
    const { session, lastFailure } = this.parts.connection;
    if (!session) return `there is no connection to the broker${lastFailure ? ` (${lastFailure.reason})` : ''}`;
    return session.blocked ? 'the broker takes no messages' : undefined;
  }
}

/** One timer for many deadlines: set for the earliest, however many there are. */
class DeadlineTimer {
  private earliest = Infinity;
  private timer: NodeJS.Timeout | undefined;

  /** `onDue` ends what is due and returns the earliest deadline that is left. */
  constructor(private readonly onDue: (now: number) => number) {}

  watch(deadline: number): void {
    if (deadline < this.earliest) this.arm(deadline, 0);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.earliest = Infinity;
  }

  private arm(deadline: number, atLeastMs: number): void {
    clearTimeout(this.timer);
    this.earliest = deadline;
    const delay = Math.max(atLeastMs, Math.ceil(deadline - performance.now()));
    this.timer = setTimeout(() => this.due(), Math.min(delay, longestTimerMs));
  }

  private due(): void {
    this.earliest = Infinity;
    const next = this.onDue(performance.now());
    if (next < this.earliest) this.arm(next, deadlineGranularityMs);
  }
}
