import { AsyncLocalStorage } from 'node:async_hooks';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { EventChannel } from '../../events/event-channel.js';
import { flushed } from '../../events/flushed.js';
import type { Broker, BrokerState, ConsumeRequest, OutgoingMessage, QueueInspection, Subscription } from '../broker.js';
import { LinePhase } from './line-phase.js';
import { LineWaiters } from './line-waiters.js';
import type { BusClient, MemoryBus } from './memory-bus.js';
import { MemoryLine } from './memory-line.js';
import { MemoryPublisher } from './memory-publisher.js';
import { MemorySubscription } from './memory-subscription.js';

/** Between a lost line and the next attempt, as with RabbitMQ; doubled with each attempt that fails. */
const reconnectDelayMs = 50;
const longestReconnectDelayMs = 1_000;

/** One client of an embedded bus; what it does over its lines is what a client of RabbitMQ does over TCP. */
export class MemoryBroker implements Broker, BusClient {
  readonly events = new EventChannel();
  /** What happens in the background must not carry the context of whichever request came first. */
  private readonly inOwnContext = AsyncLocalStorage.snapshot();
  private readonly phase: LinePhase;
  private readonly publishLine: MemoryLine;
  private readonly consumeLine: MemoryLine;
  private readonly publisher: MemoryPublisher;
  private readonly subscriptions = new Set<MemorySubscription>();
  private readonly waiters = new LineWaiters();
  private everConnected = false;
  private failures = 0;
  private closing: Promise<void> | undefined;
  private failure: string | undefined;
  private reconnect: NodeJS.Timeout | undefined;
  /** Whether the bus reads nothing from the publishing line. */
  private unread = false;

  constructor(
    private readonly bus: MemoryBus,
    readonly options: ResolvedRabbitOptions,
    readonly url = 'memory://',
  ) {
    const { events } = this;
    this.phase = new LinePhase(url, events);
    this.publishLine = new MemoryLine(() => bus.delayMs);
    this.consumeLine = new MemoryLine(() => bus.delayMs);
    this.publisher = new MemoryPublisher({
      bus,
      line: this.publishLine,
      options,
      events,
      onUnread: () => this.block(),
      onNotRouted: (exchange) => {
        for (const subscription of this.subscriptions) subscription.notRouted(exchange);
      },
    });
    bus.attach(this);
    setImmediate(() => this.connect());
  }

  get state(): BrokerState {
    if (this.closing) return 'closed';
    const { current } = this.phase;
    return current === 'disconnected' ? 'connecting' : current;
  }

  get lastFailure(): string | undefined {
    return this.failure;
  }

  connected(giveUpMs?: number): Promise<void> {
    if (this.state === 'closed') return Promise.reject(new ClosedError('broker'));
    return this.everConnected ? Promise.resolve() : this.waiters.wait(giveUpMs);
  }

  publish(message: OutgoingMessage): Promise<void> {
    if (this.state === 'closed') return Promise.reject(new ClosedError('broker'));
    return this.inOwnContext(() => this.publisher.publish(message));
  }

  consume(request: ConsumeRequest): Promise<Subscription> {
    return this.inOwnContext(() => this.startConsuming(this.calledInOwnContext(request)));
  }

  /** Deliveries come in the context of whoever has published. */
  private calledInOwnContext(request: ConsumeRequest): ConsumeRequest {
    const { inOwnContext } = this;
    return {
      ...request,
      onDeliveries: (...delivered) => inOwnContext(() => request.onDeliveries(...delivered)),
      onInterrupted: () => inOwnContext(() => request.onInterrupted?.()),
    };
  }

  private async startConsuming(request: ConsumeRequest): Promise<Subscription> {
    if (this.state === 'closed') throw new ClosedError('broker');
    const { bus, consumeLine: line, events } = this;
    const onClosed = (closed: MemorySubscription): void => void this.subscriptions.delete(closed);
    const subscription = new MemorySubscription(request, { bus, line, events, onClosed });
    this.subscriptions.add(subscription);
    try {
      await this.opened(subscription, request.giveUpMs);
    } catch (error) {
      await subscription.close();
      throw error;
    }
    return subscription;
  }

  async inspectQueue(queue: string): Promise<QueueInspection | undefined> {
    this.requireLine(`look at queue '${queue}'`);
    return this.inOwnContext(() => this.consumeLine.ask(() => this.bus.inspectQueue(queue)));
  }

  async hasExchange(exchange: string): Promise<boolean> {
    this.requireLine(`look at exchange '${exchange}'`);
    return this.inOwnContext(() => this.consumeLine.ask(() => this.bus.hasExchange(exchange)));
  }

  async deleteQueue(queue: string): Promise<void> {
    this.requireLine(`delete queue '${queue}'`);
    await this.inOwnContext(() => this.consumeLine.ask(() => this.bus.deleteQueue(queue)));
  }

  close(): Promise<void> {
    this.closing ??= this.inOwnContext(() => this.flush().then(() => this.end()));
    return this.closing;
  }

  private flush(): Promise<void> {
    const { events, phase, publisher } = this;
    return flushed(publisher.drain(), {
      events,
      get state() {
        return phase.current;
      },
    });
  }

  private async end(): Promise<void> {
    clearTimeout(this.reconnect);
    this.bus.detach(this);
    this.publisher.close();
    this.waiters.close();
    this.phase.enter('closed');
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
    this.cutLines();
  }

  interrupted(): void {
    this.inOwnContext(() => {
      if (this.phase.current === 'closed' || this.phase.current === 'disconnected') return;
      this.cutLines();
      if (this.phase.isUp) this.lineLost();
      else this.attemptFailed(new Error('the connection was lost'));
    });
  }

  alarmCleared(): void {
    if (!this.unread) return;
    this.unread = false;
    this.publishLine.up.release();
    setImmediate(() =>
      this.publishLine.down.pass(() => {
        if (this.phase.current !== 'blocked') return;
        this.phase.enter('connected');
        this.publisher.resume();
      }),
    );
  }

  busClosed(): Promise<void> {
    this.publisher.confirmTaken();
    this.closing ??= this.inOwnContext(() => this.end());
    return this.closing;
  }

  delayChanged(): void {
    this.publishLine.delayChanged();
    this.consumeLine.delayChanged();
  }

  /** The bus says so to whom it concerns: who publishes under an alarm. */
  private block(): void {
    this.unread = true;
    setImmediate(() =>
      this.publishLine.down.pass(() => {
        if (!this.unread || this.phase.current !== 'connected') return;
        this.phase.enter('blocked');
        this.publisher.pause();
      }),
    );
  }

  private connect(): void {
    if (this.state !== 'connecting') return;
    if (!this.bus.accepting) return this.attemptFailed(new Error(`connection refused by ${this.url}`));
    // A line that is cut meanwhile has told `interrupted`.
    this.publishLine
      .ask(() => undefined)
      .then(
        () => this.lineUp(),
        () => undefined,
      );
  }

  private lineUp(): void {
    if (this.phase.current !== 'connecting') return;
    this.failures = 0;
    this.failure = undefined;
    this.everConnected = true;
    this.phase.enter('connected');
    // Before what waits goes out: queues may have gone with their consumers.
    for (const subscription of this.subscriptions) subscription.resume();
    this.publisher.resume();
    this.waiters.release();
  }

  private lineLost(): void {
    this.failure = 'the connection was lost';
    this.phase.enter('disconnected');
    this.publisher.interrupted();
    for (const subscription of this.subscriptions) subscription.interrupted();
    this.scheduleAttempt();
  }

  private attemptFailed(error: Error): void {
    this.failures++;
    this.failure = error.message;
    this.phase.enter('disconnected', { error });
    this.publisher.attemptFailed(error);
    this.waiters.attemptFailed(error);
    this.scheduleAttempt();
  }

  private scheduleAttempt(): void {
    this.reconnect = setTimeout(
      () => {
        this.phase.enter('connecting');
        this.connect();
      },
      Math.min(longestReconnectDelayMs, reconnectDelayMs * 2 ** this.failures),
    );
  }

  private cutLines(): void {
    this.unread = false;
    this.publishLine.cut();
    this.consumeLine.cut();
  }

  private async opened(subscription: MemorySubscription, giveUpMs: number | undefined): Promise<void> {
    // Awaiting takes a turn, in which the line may go down again.
    for (;;) {
      await this.online(giveUpMs);
      try {
        return await this.consumeLine.ask(() => subscription.open());
      } catch (error) {
        if (this.phase.isUp) throw error;
      }
    }
  }

  /** Unlike `connected`, this also waits out an interruption. */
  private async online(giveUpMs: number | undefined): Promise<void> {
    while (!this.phase.isUp) {
      if (this.state === 'closed') throw new ClosedError('broker');
      await this.waiters.wait(giveUpMs);
    }
  }

  private requireLine(purpose: string): void {
    if (this.state === 'closed') throw new ClosedError('broker');
    if (this.phase.isUp) return;
    const { failure } = this;
    throw new MessageDeliveryFailure(`No connection to ${purpose}${failure === undefined ? '' : `: ${failure}`}`);
  }
}
