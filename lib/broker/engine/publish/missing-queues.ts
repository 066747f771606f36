import type { ResolvedRabbitOptions } from '../../../config/rabbit-options.js';
import { MessageUndeliverable } from '../../../errors/delivery.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { FairShares, weightOf } from './fair-shares.js';
import { MissingQueue } from './missing-queue.js';
import type { PendingMessage } from './pending-message.js';
import { type Route, Routes } from './routes.js';
import { UnprovenMessages } from './unproven-messages.js';

export type MissingQueueOptions = Pick<ResolvedRabbitOptions, 'kombuMissingConsumerRetryTimeout' | 'maxInFlightBytes'>;

/** The publisher, to which messages go back. */
export interface MissingQueuesObserver {
  /** In this order, before all others. */
  publishAgain(messages: readonly PendingMessage[]): void;
  /** Makes a message anew that was confirmed before and may have been lost; nobody waits for its outcome. */
  repeated(confirmed: PendingMessage): PendingMessage;
}

/** Longest time that a request without a deadline waits. */
const longestWaitMs = 5_000;
/** As long as Python's cache of obsolete reply queues remembers them. */
const obsoleteMs = 60_000;
/** Soon at first, as most queues that are lost are back in a moment; then as Python's retry of replies. */
const firstProbeMs = 60;
const probeEveryMs = 250;
/** So many routes are probed in an interval; of more, each less often: living callers share the connection with them. */
const probesPerInterval = 256;
/** However many are missing: a queue that is coming back does so in a moment. */
const earlyProbes = 2;
/** Answers to missing queues, and those that may have been lost: shares of `maxInFlightBytes`. */
const waitingShare = 0.5;
const unprovenShare = 0.125;

/**
 * Messages whose queue is missing. A broker that was restarted gets its queues back from their consumers, a moment
 * later than publishers are there again; a client that reconnects declares its reply queue anew.
 *
 * Requests wait where a queue has taken such messages before; where none has, they are dropped, as the broker drops
 * them. Answers (`owed`) wait in any case, within a budget of bytes, and what may have been lost with the queue is sent
 * again: a caller knows an answer that comes twice. However many wait, one per route and interval asks; when it is
 * taken the others follow.
 *
 * Mirrors, for answers, `_send_reply` of Python's incoming message with its retry and its cache of obsolete queues.
 */
export class MissingQueues {
  private readonly routes = new Routes();
  private readonly shares: FairShares;
  private readonly unproven: UnprovenMessages;
  private missingCount = 0;

  constructor(
    private readonly observer: MissingQueuesObserver,
    private readonly options: MissingQueueOptions,
    private readonly events: EventChannel,
  ) {
    this.shares = new FairShares(options.maxInFlightBytes * waitingShare);
    this.unproven = new UnprovenMessages(options.maxInFlightBytes * unprovenShare);
  }

  /** Takes a message whose queue is missing, as far as is known; false: it is to be published. */
  add(pending: PendingMessage): boolean {
    if (this.missingCount === 0 || !pending.message.awaitQueue) return false;
    const route = this.routes.find(pending.message);
    if (!route?.missing) return false;
    pending.message.owner?.routed(false);
    this.wait(route, pending);
    return true;
  }

  /** A queue has taken it. */
  routed(pending: PendingMessage): void {
    if (!pending.message.awaitQueue) return;
    const route = this.routes.of(pending.message);
    const { missing } = route;
    route.isKnown = true;
    route.obsoleteUntil = 0;
    if (isAnswer(pending)) this.unproven.confirmed(route, pending);
    if (missing?.probe === pending) this.found(route, missing);
    // It was written before the one that came back sooner.
    else if (missing) this.repeatUnproven(route);
  }

  /** No queue has taken it. */
  unrouted(pending: PendingMessage): void {
    const { awaitQueue, exchange, routingKey } = pending.message;
    if (!awaitQueue) return pending.reject(new MessageUndeliverable(exchange, routingKey));
    const route = this.routes.find(pending.message);
    if (isAnswer(pending)) return this.answerUnrouted(route ?? this.routes.of(pending.message), pending);
    const now = performance.now();
    if (route?.isKnown) return this.wait(route, pending);
    // None has ever taken such a message: dropped, as the broker drops it.
    return pending.deadline <= now ? pending.timeOut(now) : pending.resolve();
  }

  close(): void {
    for (const { missing } of this.routes) missing?.end();
  }

  private answerUnrouted(route: Route, pending: PendingMessage): void {
    const { missing, obsoleteUntil } = route;
    if (!missing && obsoleteUntil > performance.now()) {
      return this.giveUp(pending, 'it has been missing for long');
    }
    this.repeatUnproven(route);
    this.wait(route, pending);
  }

  private repeatUnproven(route: Route): void {
    for (const lost of this.unproven.take(route)) this.wait(route, this.observer.repeated(lost));
  }

  private wait(route: Route, pending: PendingMessage): void {
    if (pending.isAbandoned) return pending.resolve();
    const now = performance.now();
    pending.awaitQueueUntil ??= this.untilOf(pending, now);
    if (pending.awaitQueueUntil <= now) return this.failed(pending, now);
    const missing = route.missing ?? this.missed(route);
    const hasRoom = this.shares.makeRoom(missing.share, weightOf(pending), (oldest) => this.giveUp(oldest, tooMany));
    if (hasRoom) pending.move(missing);
    else this.giveUp(pending, tooMany);
  }

  private untilOf({ deadline, message }: PendingMessage, now: number): number {
    if (message.purpose === 'owed') {
      return Math.min(deadline, now + this.options.kombuMissingConsumerRetryTimeout * 1_000);
    }
    return deadline === Infinity ? now + longestWaitMs : deadline;
  }

  private missed(route: Route): MissingQueue {
    const missing = new MissingQueue(this.shares.shareOf(route.isKnown), () => this.look(route, missing));
    this.missingCount += 1;
    route.missing = missing;
    this.lookLater(missing);
    return missing;
  }

  private lookLater(missing: MissingQueue): void {
    const intervals = Math.ceil(this.shares.rivalsOf(missing.share) / probesPerInterval);
    const isEarly = intervals <= 1 || missing.looks < earlyProbes;
    const soon = Math.min(probeEveryMs, Math.max(firstProbeMs, performance.now() - missing.since));
    missing.lookIn(isEarly ? soon : probeEveryMs * intervals);
  }

  /** Ends what has waited long enough, and tries the oldest of the others. */
  private look(route: Route, missing: MissingQueue): void {
    const now = performance.now();
    for (const pending of missing.messages) {
      if (pending.isAbandoned) pending.resolve();
      else if (pending.awaitQueueUntil! <= now) this.failed(pending, now);
    }
    if (missing.isDone) return this.givenUp(route, missing, now);
    const probe = missing.takeProbe();
    if (probe) this.observer.publishAgain([probe]);
    this.lookLater(missing);
  }

  private found(route: Route, missing: MissingQueue): void {
    this.observer.publishAgain([...missing.messages]);
    this.forget(route, missing);
  }

  /** A queue that was missed for less than the whole time may belong to a client that is reconnecting. */
  private givenUp(route: Route, missing: MissingQueue, now: number): void {
    this.forget(route, missing);
    const missedMs = now - missing.since;
    if (missedMs >= this.options.kombuMissingConsumerRetryTimeout * 1_000) route.obsoleteUntil = now + obsoleteMs;
  }

  private forget(route: Route, missing: MissingQueue): void {
    missing.end();
    route.missing = undefined;
    this.missingCount -= 1;
  }

  /** Its queue was awaited in vain. */
  private failed(pending: PendingMessage, now: number): void {
    if (pending.deadline <= now) return pending.timeOut(now, 'its queue is missing');
    if (isAnswer(pending)) return this.giveUp(pending, 'it was awaited in vain');
    const { exchange, routingKey } = pending.message;
    pending.reject(new MessageUndeliverable(exchange, routingKey));
    const message = `No queue takes a message any more: exchange '${exchange}', routing key '${routingKey}'`;
    this.events.emit({ type: 'message-unrouted', level: 'warn', message, exchange, routingKey });
  }

  private giveUp(pending: PendingMessage, reason: string): void {
    const { exchange, routingKey } = pending.message;
    pending.reject(new MessageUndeliverable(exchange, routingKey, undefined, reason));
  }
}

const tooMany = 'too many answers wait for missing queues';

function isAnswer({ message }: PendingMessage): boolean {
  return message.purpose === 'owed' && message.awaitQueue === true;
}
