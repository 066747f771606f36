import { AsyncLocalStorage } from 'node:async_hooks';
import { describeRequest, requestFacts } from '../request-facts.js';
import type { Delivery, Subscription } from '../../broker/broker.js';
import { textOf } from '../../errors/text-of.js';
import type { EventChannel } from '../../events/event-channel.js';
import { longestTimerMs } from '../../events/longest-timer.js';
import type { RequestDropped } from '../../events/messaging-event.js';
import { shown } from '../../wire/shown.js';
import { SaturationWatch } from './saturation-watch.js';
import { RequestQueue, type HeldRequest } from './request-queue.js';
import type { RequestReader } from './request-reader.js';
import type { RequestRunner } from './request-runner.js';

/** So many methods are named when all slots are taken, those that have run the longest first. */
const NAMED_METHODS = 5;

/** Counters of a gate since it was made. */
export interface GateCounters {
  /** Acknowledged and run (or refused by the dispatcher, which is an answer too). */
  dispatched: number;
  /** Recognised by `_unique_id` and dropped. */
  duplicates: number;
  /** Dropped because their caller had given up. */
  expired: number;
  /** Not understood. */
  rejected: number;
  /** Came back because an acknowledgement was lost, or a server before us died with them. */
  redelivered: number;
  /** Given up because a stop could not wait for them. */
  drained: number;
}

/**
 * Lets requests through to their handlers: first in, first out, as many at a time as there are slots.
 *
 * The acknowledgement is written just before the handler starts, as Python's is; but only when a slot is
 * free, so that what waits is the broker's, and goes to others if this process dies. A call is also only taken
 * when its answer could leave.
 */
export class RequestGate {
  readonly counters: GateCounters = {
    dispatched: 0,
    duplicates: 0,
    expired: 0,
    rejected: 0,
    redelivered: 0,
    drained: 0,
  };
  private readonly queue = new RequestQueue();
  private readonly running = new Set<HeldRequest>();
  /** Bytes of memory that what runs has come with. */
  private runningWeight = 0;
  private readonly saturation = new SaturationWatch((saturated) => this.reportSaturated(saturated));
  private passing: NodeJS.Immediate | undefined;
  /** When a call that must wait for room has expired. */
  private expiring: NodeJS.Timeout | undefined;
  private subscription: Pick<Subscription, 'flush'> | undefined;
  private setAside: Delivery[] = [];
  private accepts: ((delivery: Delivery) => boolean) | undefined;
  private whenEmpty: (() => void) | undefined;

  constructor(
    private readonly slots: number,
    private readonly reader: RequestReader,
    private readonly runner: RequestRunner,
    private readonly events: EventChannel,
    /** The bytes that running requests may have come with together; one request may always run. */
    private readonly maxWeight: number,
  ) {}

  /** A message was not understood, here or before it came here. */
  noteRejected(): void {
    this.counters.rejected += 1;
  }

  /** Nothing waits and nothing runs. */
  get isEmpty(): boolean {
    return this.queue.length === 0 && this.running.size === 0;
  }

  /** No slot has been free for long. */
  get isSaturated(): boolean {
    return this.saturation.saturated;
  }

  /** Handlers that may run at a time, that run, and requests that wait here. */
  get load(): { slots: number; running: number; waiting: number } {
    return { slots: this.slots, running: this.running.size, waiting: this.queue.length };
  }

  receive(deliveries: readonly Delivery[], subscription: Pick<Subscription, 'flush'>): void {
    this.subscription = subscription;
    for (const delivery of deliveries) {
      if (this.accepts && !this.accepts(delivery)) this.setAside.push(delivery);
      else this.hold(delivery);
    }
    this.pass();
  }

  /** Answers may be able to leave again. Once per turn of the event loop, so that acknowledgements share a frame. */
  passSoon(): void {
    if (this.queue.length === 0) return;
    this.passing ??= setImmediate(() => {
      this.passing = undefined;
      this.pass();
      this.wakeIfEmpty();
    });
  }

  /** Held requests have gone back to the broker, and will come again. */
  forgetHeld(): void {
    this.queue.takeAll();
    this.setAside = [];
    this.wakeIfEmpty();
  }

  /** From now on sets aside whatever is not accepted: what is held and what still comes. */
  restrict(accepts: (delivery: Delivery) => boolean): void {
    this.accepts = accepts;
    const refused = this.queue.takeAll((held) => !accepts(held.delivery));
    this.setAside = refused.map(({ delivery }) => delivery);
    this.wakeIfEmpty();
  }

  /** Once nothing new is delivered here; before, the broker might hand the same requests to us again. */
  giveBack(): void {
    for (const delivery of this.setAside) delivery.reject(true);
    this.setAside = [];
  }

  /** Resolves when nothing waits and nothing runs. */
  emptied(): Promise<void> {
    return this.isEmpty ? Promise.resolve() : new Promise((resolve) => (this.whenEmpty = resolve));
  }

  /** Ends the waiting: running handlers are told by their signal, and with held requests reported as dropped. */
  abandon(reason: Error): void {
    this.saturation.end();
    clearTimeout(this.expiring);
    for (const held of this.running) {
      held.request.abort(reason);
      this.drop(held, 'drained', 'it still ran when the server could not wait any longer');
    }
    for (const held of this.queue.takeAll()) {
      if (held.delivery.ack()) this.drop(held, 'drained', 'the server stopped before it could run');
    }
  }

  private hold(delivery: Delivery): void {
    if (delivery.redelivered) this.counters.redelivered += 1;
    try {
      this.queue.push(this.reader.read(delivery));
    } catch (error) {
      delivery.reject(false);
      const message = `Rejected a message of ${delivery.queue}: ${textOf(error)}`;
      this.events.emit({ type: 'message-rejected', level: 'error', message, queue: delivery.queue, error });
    }
  }

  /** Acknowledges as many as there are slots, writes that, and only then starts them. */
  private pass(): void {
    const taken: HeldRequest[] = [];
    while (this.running.size < this.slots) {
      const held = this.queue.first;
      if (!held || this.mustWait(held)) break;
      this.queue.shift();
      if (!this.take(held)) continue;
      this.running.add(held);
      this.runningWeight += held.weight;
      taken.push(held);
    }
    if (this.running.size < this.slots) this.saturation.free();
    else this.saturation.full();
    // A handler that takes the process down must not find its request in the queue again.
    if (taken.length > 0) this.subscription?.flush((left) => this.acknowledged(taken, left));
  }

  /**
   * While what runs is heavy enough, nothing more is taken. A call stays with the broker also while its answer could not leave,
   * until its caller has given up. Casts in front of it go on: under an alarm they are what empties the broker.
   */
  private mustWait({ request, weight }: HeldRequest): boolean {
    if (this.running.size > 0 && this.runningWeight + weight > this.maxWeight) return true;
    const { backlog } = this.runner.replies;
    if (!request.isCall || backlog.hasRoom) return false;
    const { remainingMs = Infinity } = request;
    if (remainingMs <= 0) return false;
    backlog.awaitRoom(() => this.passSoon());
    clearTimeout(this.expiring);
    if (remainingMs < longestTimerMs) this.expiring = setTimeout(() => this.passSoon(), Math.ceil(remainingMs)).unref();
    return true;
  }

  /** A request whose acknowledgement the broker has not heard comes again, here or at a sibling, which may have run it already. */
  private acknowledged(taken: readonly HeldRequest[], left: boolean): void {
    for (const held of taken) {
      if (left) this.start(held);
      else this.notAcknowledged(held);
    }
    if (!left) this.wakeIfEmpty();
  }

  private notAcknowledged(held: HeldRequest): void {
    const { request, service } = held;
    this.leave(held);
    if (request.uniqueId !== undefined) service.seen.delete(request.uniqueId);
  }

  private take(held: HeldRequest): boolean {
    const { delivery, request, service } = held;
    if (!delivery.ack()) return false;
    if (request.uniqueId !== undefined && service.seen.has(request.uniqueId)) {
      return this.drop(held, 'duplicate', 'it was received before');
    }
    if ((request.remainingMs ?? 1) <= 0) return this.drop(held, 'expired', 'its caller has given up');
    if (request.uniqueId !== undefined) service.seen.add(request.uniqueId);
    return true;
  }

  private start(held: HeldRequest): void {
    this.counters.dispatched += 1;
    const ended = (): void => this.finished(held);
    const { inContext } = held.delivery;
    if (!inContext) return this.runner.run(held, ended);
    const endedOutside = AsyncLocalStorage.bind(ended);
    inContext(() => this.runner.run(held, endedOutside));
  }

  private leave(held: HeldRequest): void {
    this.running.delete(held);
    this.runningWeight -= held.weight;
  }

  private finished(held: HeldRequest): void {
    this.leave(held);
    if (this.queue.length > 0) return this.passSoon();
    this.saturation.free();
    this.wakeIfEmpty();
  }

  private wakeIfEmpty(): void {
    if (this.isEmpty) this.whenEmpty?.();
  }

  private reportSaturated(saturated: boolean): void {
    const { slots } = this;
    const waiting = this.queue.length;
    const methods = [...new Set([...this.running].map(({ request }) => request.method))].slice(0, NAMED_METHODS);
    const names = methods.map((method) => shown(method)).join(', ');
    const message = saturated
      ? `No handler slot has been free for long: all ${slots} are taken, the longest by ${names}; ${waiting} requests wait here, the rest at the broker`
      : 'Handler slots are free again';
    const level = saturated ? 'warn' : 'log';
    this.events.emit({ type: 'server-saturated', level, message, saturated, slots, waiting, methods });
  }

  private drop({ request }: HeldRequest, reason: RequestDropped['reason'], why: string): false {
    const counter = { drained: 'drained', duplicate: 'duplicates', expired: 'expired' } as const;
    this.counters[counter[reason]] += 1;
    const { msgId, uniqueId } = request;
    const message = `Dropped a request of ${describeRequest(request)}: ${why} (unique id ${shown(uniqueId)})`;
    const facts = { ...requestFacts(request), msgId, uniqueId };
    this.events.emit({ type: 'request-dropped', level: 'warn', reason, message, ...facts });
    return false;
  }
}
