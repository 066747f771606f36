import { AsyncLocalStorage } from 'node:async_hooks';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import type { TransportUrl } from '../../config/transport-url.js';
import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { EventChannel } from '../../events/event-channel.js';
import { flushed } from '../../events/flushed.js';
import { within } from '../../events/within.js';
import { refusalOfSize } from '../../wire/message-size.js';
import type { Broker, BrokerState, ConsumeRequest, OutgoingMessage, QueueInspection, Subscription } from '../broker.js';
import { replyText } from './amqp-reply.js';
import { ClosingRequests } from './closing-requests.js';
import { ConnectionOpener } from './connection-opener.js';
import { ConnectionState } from './connection-state.js';
import { ConnectionSupervisor } from './connection-supervisor.js';
import { Consumer } from './consumer.js';
import { ConsumerCheck } from './consumer-check.js';
import { EventLoopWatch } from './event-loop-watch.js';
import { FirstConnection } from './first-connection.js';
import { type BrokerHost, HostRotation } from './host-rotation.js';
import { HeldBudget } from './held-messages.js';
import type { Line } from './line.js';
import { Publisher } from './publisher.js';
import { QueueInspector } from './queue-inspector.js';
import { ReconnectPolicy } from './reconnect-policy.js';
import { SilenceGate } from './silence-gate.js';

/** How long consumers may take to say good-bye before their connection is closed. */
const goodbyeMs = 1_000;

/**
 * RabbitMQ behind the seam. Two connections: the broker stops reading one that has published while
 * it is under an alarm, and the acks of consumers must not wait for that.
 */
export class RabbitBroker implements Broker {
  readonly url: string;
  readonly events = new EventChannel();
  /** Not even `inspect` shows what holds passwords. */
  readonly #transportUrl: TransportUrl;
  /** Sockets, timers and events must not carry the context of whichever request came first. */
  private readonly inOwnContext = AsyncLocalStorage.snapshot();
  private readonly publishing: ConnectionSupervisor;
  private readonly consuming: ConnectionSupervisor;
  private readonly firstConnection: FirstConnection;
  private readonly publisher: Publisher;
  private readonly gate: SilenceGate;
  private readonly inspector = new QueueInspector();
  private readonly closingRequests = new ClosingRequests();
  private readonly consumers = new Set<Consumer>();
  private readonly held: HeldBudget;
  private readonly check: ConsumerCheck;
  private readonly eventLoop: EventLoopWatch;
  private ended = false;
  private closing: Promise<void> | undefined;

  /** Begins to connect at once, or when it is first needed; the consuming connection follows with the first consumer. */
  constructor(
    transportUrl: TransportUrl,
    readonly options: ResolvedRabbitOptions,
    connecting: 'at once' | 'when needed' = 'at once',
  ) {
    this.#transportUrl = transportUrl;
    this.url = transportUrl.masked;
    this.held = new HeldBudget(options.maxHeldBytes);
    const unreachable = new Set<BrokerHost>();
    this.publishing = this.supervisor('publish', unreachable);
    this.consuming = this.supervisor('consume', unreachable, this.publishing);
    this.publishing.listen({ lineUp: () => this.consuming.hurry() });
    this.consuming.listen({ lineUp: () => this.publishing.hurry(), lineDown: (line) => this.consumingLost(line) });
    this.firstConnection = new FirstConnection(this.publishing, this.url);
    this.gate = new SilenceGate({
      publishing: this.publishing,
      consuming: this.consuming,
      isConsuming: () => [...this.consumers].every(({ consuming }) => consuming),
      onOpen: () => this.publisher.pump(),
    });
    this.publisher = new Publisher(this.publishing, this.gate, options, this.events, (exchange, routingKey) => {
      for (const consumer of this.consumers) consumer.notRouted(exchange, routingKey);
    });
    this.check = new ConsumerCheck(() => [this.publisher, ...this.consumers], options.consumerCheckIntervalMs);
    this.eventLoop = new EventLoopWatch(options.heartbeatTimeoutThreshold, this.events);
    // Listeners of this turn hear of the first attempt as well.
    if (connecting === 'at once') queueMicrotask(() => this.publishing.start());
  }

  get state(): BrokerState {
    if (this.ended) return 'closed';
    const { phase } = this.publishing;
    if (phase === 'blocked') return 'blocked';
    const consumingOrIdle = !this.consuming.isStarted || this.consuming.line !== undefined;
    return phase === 'connected' && consumingOrIdle ? 'connected' : 'connecting';
  }

  get lastFailure(): string | undefined {
    const failure = this.publishing.lastFailure ?? this.consuming.lastFailure;
    return failure && `${failure.host}: ${failure.reason}`;
  }

  connected(giveUpMs?: number): Promise<void> {
    this.inOwnContext(() => this.publishing.start());
    return this.firstConnection.wait(giveUpMs);
  }

  publish(message: OutgoingMessage): Promise<void> {
    const refusal = refusalOfSize(message.body, this.options.maxOutgoingMessageBytes);
    if (refusal) return Promise.reject(refusal);
    return this.inOwnContext(() => {
      this.publishing.start();
      return this.publisher.publish(message);
    });
  }

  consume(request: ConsumeRequest): Promise<Subscription> {
    return this.inOwnContext(() => this.startConsuming(request));
  }

  private async startConsuming(request: ConsumeRequest): Promise<Subscription> {
    if (this.ended) throw new ClosedError('broker');
    this.publishing.start();
    this.consuming.start();
    const consumer = new Consumer(request, {
      supervisor: this.consuming,
      events: this.events,
      inspector: this.inspector,
      closing: this.closingRequests,
      limits: { body: this.options, held: this.held },
      onEnded: () => void this.consumers.delete(consumer),
    });
    this.consumers.add(consumer);
    await consumer.ready;
    return consumer;
  }

  async inspectQueue(queue: string): Promise<QueueInspection | undefined> {
    return this.inOwnContext(() => this.inspector.inspect(this.anyLine(`look at queue '${queue}'`), queue));
  }

  async hasExchange(exchange: string): Promise<boolean> {
    const purpose = `look at exchange '${exchange}'`;
    return this.inOwnContext(() => this.inspector.hasExchange(this.anyLine(purpose), exchange));
  }

  deleteQueue(queue: string): Promise<void> {
    return this.inOwnContext(() => this.askToDelete(queue));
  }

  private async askToDelete(queue: string): Promise<void> {
    const line = this.anyLine(`delete queue '${queue}'`);
    try {
      await line.spare.run(`delete queue '${queue}'`, (channel) => channel.deleteQueue(queue));
    } catch (error) {
      const facts = { host: line.host, cause: error };
      throw new MessageDeliveryFailure(`Queue '${queue}' could not be deleted: ${replyText(error)}`, facts);
    }
  }

  close(): Promise<void> {
    this.closing ??= this.inOwnContext(() => this.end());
    return this.closing;
  }

  private async end(): Promise<void> {
    this.ended = true;
    this.check.end();
    this.eventLoop.end();
    this.firstConnection.close();
    this.gate.end();
    await Promise.all([this.endPublishing(), this.endConsuming()]);
  }

  private async endPublishing(): Promise<void> {
    const { events, publisher, publishing } = this;
    await flushed(publisher.drain(), {
      events,
      get state() {
        return publishing.phase;
      },
    });
    publisher.close();
    await publishing.close();
  }

  private async endConsuming(): Promise<void> {
    const consumers = Promise.all([...this.consumers].map((consumer) => consumer.close()));
    await within(goodbyeMs, consumers);
    await this.consuming.close();
  }

  /** A broker under an alarm answers nothing on the blocked connection, which may have gone silent with the other. */
  private consumingLost({ fellSilent }: Line): void {
    const { line } = this.publishing;
    if (fellSilent && line?.blocked)
      line.giveUp('the other connection to the broker went silent while this one was blocked');
  }

  /** The consuming one where there is one: it is never blocked. */
  private anyLine(purpose: string): Line {
    if (this.ended) throw new ClosedError('broker');
    this.publishing.start();
    const line = this.consuming.line ?? this.publishing.line;
    if (line) return line;
    const { lastFailure } = this;
    throw new MessageDeliveryFailure(`No connection to ${purpose}${lastFailure ? `: ${lastFailure}` : ''}`);
  }

  private supervisor(
    connection: 'consume' | 'publish',
    unreachable: Set<BrokerHost>,
    after?: ConnectionSupervisor,
  ): ConnectionSupervisor {
    const { options } = this;
    const transportUrl = this.#transportUrl;
    return new ConnectionSupervisor({
      opener: new ConnectionOpener(transportUrl.virtualHost, `${options.connectionName}:${connection}`, options),
      hosts: new HostRotation(transportUrl.hosts, options.kombuFailoverStrategy, unreachable),
      policy: new ReconnectPolicy(options),
      state: new ConnectionState(connection, this.events),
      livenessTimeoutMs: options.livenessTimeoutMs,
      events: this.events,
      closing: this.closingRequests,
      after,
    });
  }
}
