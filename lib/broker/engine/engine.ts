import { AsyncLocalStorage } from 'node:async_hooks';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import type { TransportHost } from '../../config/transport-url.js';
import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { EventChannel } from '../../events/event-channel.js';
import { EventLoopWatch } from '../../events/event-loop-watch.js';
import { flushed } from '../../events/flushed.js';
import { within } from '../../events/within.js';
import { refusalOfSize } from '../../wire/message-size.js';
import { HeldBudget } from '../bounds/held-messages.js';
import type {
  BrokerState,
  ConsumeRequest,
  InFlightLoads,
  MessageBroker,
  OutgoingMessage,
  QueueInspection,
  Subscription,
} from '../broker.js';
import type { LinkProvider } from '../link.js';
import { Backoff } from './connection/backoff.js';
import { ClosingRequests } from './connection/closing-requests.js';
import { Connection } from './connection/connection.js';
import { FirstConnection } from './connection/first-connection.js';
import { Hosts } from './connection/hosts.js';
import { replyText } from './connection/reply-codes.js';
import type { Session } from './connection/session.js';
import { RestoredSubscription } from './consume/subscription.js';
import { HealthChecks } from './health.js';
import { PublishGate } from './publish/publish-gate.js';
import { Publisher } from './publish/publisher.js';

/** The address of a bus, and the way there. */
export interface Destination {
  readonly links: LinkProvider;
  readonly hosts: readonly TransportHost[];
  /** For people: passwords masked. */
  readonly url: string;
  /** Its connections that try to connect again, with those of others. @defaultValue those of this process */
  readonly disconnected?: Set<Connection>;
}

/** How long consumers may take to say good-bye before their connection is closed. */
const goodbyeMs = 1_000;

/**
 * A bus behind the seam. Two connections: a broker stops reading one that has published while it is under an alarm, and
 * the acks of consumers must not wait for that.
 */
export class Engine implements MessageBroker {
  readonly url: string;
  readonly events = new EventChannel();
  /** Not even `inspect` shows what holds passwords. */
  readonly #destination: Destination;
  /** Sockets, timers and events must not carry the context of whichever request came first. */
  private readonly inOwnContext = AsyncLocalStorage.snapshot();
  private readonly publishing: Connection;
  private readonly consuming: Connection;
  private readonly firstConnection: FirstConnection;
  private readonly publisher: Publisher;
  private readonly gate: PublishGate;
  private readonly closingRequests = new ClosingRequests();
  private readonly lostQueues = new Set<string>();
  private readonly subscriptions = new Set<RestoredSubscription>();
  private readonly held: HeldBudget;
  private readonly health: HealthChecks | undefined;
  private readonly eventLoop: EventLoopWatch | undefined;
  private closing: Promise<void> | undefined;

  /** Begins to connect at once, or when it is first needed; the consuming connection follows with the first consumer. */
  constructor(
    destination: Destination,
    readonly options: ResolvedRabbitOptions,
    connecting: 'at once' | 'when needed' = 'at once',
  ) {
    this.#destination = destination;
    this.url = destination.url;
    this.held = new HeldBudget(options.maxHeldBytes);
    const unreachable = new Set<TransportHost>();
    this.publishing = this.connection('publish', unreachable);
    this.consuming = this.connection('consume', unreachable, this.publishing);
    this.publishing.listen({ connected: () => this.consuming.retryNow() });
    this.consuming.listen({
      connected: () => this.publishing.retryNow(),
      disconnected: (session) => this.consumingLost(session),
    });
    this.firstConnection = new FirstConnection(this.publishing, this.url);
    const { events, publishing, consuming, subscriptions } = this;
    this.gate = new PublishGate({
      publishing,
      consuming,
      isConsuming: () => ![...subscriptions].some((subscription) => subscription.isToBeRestored),
      onOpen: () => this.publisher.pump(),
    });
    this.publisher = new Publisher({
      connection: publishing,
      gate: this.gate,
      options,
      events,
      onConfirmed: () => this.health?.confirmed(),
      onUnrouted: (exchange, routingKey) => {
        for (const subscription of subscriptions) subscription.notRouted(exchange, routingKey);
      },
    });
    if (destination.links.mayFallSilent) {
      this.health = new HealthChecks({ publisher: this.publisher, subscriptions }, options.consumerCheckIntervalMs);
      this.eventLoop = new EventLoopWatch(options.heartbeatTimeoutThreshold, events);
    }
    // Listeners of this turn hear of the first attempt as well.
    if (connecting === 'at once') queueMicrotask(() => this.publishing.start());
  }

  get state(): BrokerState {
    if (this.closing) return 'closed';
    const { phase } = this.publishing;
    if (phase === 'blocked') return 'blocked';
    const consumingOrIdle = !this.consuming.isStarted || this.consuming.session !== undefined;
    return phase === 'connected' && consumingOrIdle ? 'connected' : 'connecting';
  }

  get lastFailure(): string | undefined {
    const failure = this.publishing.lastFailure ?? this.consuming.lastFailure;
    return failure && `${failure.host}: ${failure.reason}`;
  }

  get inFlight(): InFlightLoads {
    return this.publisher.loads;
  }

  connected(giveUpMs?: number): Promise<void> {
    this.inOwnContext(() => this.publishing.start());
    return this.firstConnection.wait(giveUpMs);
  }

  publish(message: OutgoingMessage): Promise<void> {
    const refusal = refusalOfSize(message.body, this.options.maxOutgoingMessageBytes);
    if (refusal) return Promise.reject(refusal);
    const { looksAtContext } = this.#destination.links;
    const inContext = looksAtContext ? AsyncLocalStorage.snapshot() : undefined;
    return this.inOwnContext(() => {
      this.publishing.start();
      return this.publisher.publish(inContext ? { ...message, inContext } : message);
    });
  }

  consume(request: ConsumeRequest): Promise<Subscription> {
    return this.inOwnContext(() => this.startConsuming(request));
  }

  private async startConsuming(request: ConsumeRequest): Promise<Subscription> {
    if (this.closing) throw new ClosedError('broker');
    this.publishing.start();
    this.consuming.start();
    const subscription = new RestoredSubscription(request, {
      connection: this.consuming,
      events: this.events,
      closingRequests: this.closingRequests,
      lostQueues: this.lostQueues,
      limits: { body: this.options, held: this.held },
      isWatched: this.#destination.links.mayFallSilent,
      onClosed: (closed) => void this.subscriptions.delete(closed),
    });
    this.subscriptions.add(subscription);
    await subscription.ready;
    return subscription;
  }

  get clusterName(): string | undefined {
    return (this.consuming.session ?? this.publishing.session)?.link.clusterName;
  }

  inspectQueue(queue: string): Promise<QueueInspection | undefined> {
    return this.ask(`inspect queue '${queue}'`, (session) => session.inspectQueue(queue));
  }

  hasExchange(exchange: string): Promise<boolean> {
    return this.ask(`inspect exchange '${exchange}'`, (session) => session.hasExchange(exchange));
  }

  deleteQueue(queue: string): Promise<void> {
    return this.ask(`delete queue '${queue}'`, (session) => session.deleteQueue(queue));
  }

  private ask<T>(purpose: string, request: (session: Session) => Promise<T>): Promise<T> {
    return this.inOwnContext(async () => {
      const session = this.anySession(purpose);
      try {
        return await request(session);
      } catch (error) {
        const facts = { host: session.host, cause: error };
        throw new MessageDeliveryFailure(`Could not ${purpose}: ${replyText(error)}`, facts);
      }
    });
  }

  close(): Promise<void> {
    this.closing ??= this.inOwnContext(() => this.end());
    return this.closing;
  }

  private async end(): Promise<void> {
    this.health?.end();
    this.eventLoop?.end();
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
    const closed = Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
    await within(goodbyeMs, closed);
    await this.consuming.close();
  }

  /** A broker under an alarm answers nothing on the blocked connection, which may have gone silent with the other. */
  private consumingLost({ fellSilent }: Session): void {
    const { session } = this.publishing;
    if (fellSilent && session?.blocked)
      session.giveUp('the other connection to the broker went silent while this one was blocked');
  }

  /** The consuming one where there is one: it is never blocked. */
  private anySession(purpose: string): Session {
    if (this.closing) throw new ClosedError('broker');
    this.publishing.start();
    const session = this.consuming.session ?? this.publishing.session;
    if (session) return session;
    const { lastFailure } = this;
    throw new MessageDeliveryFailure(`No connection to ${purpose}${lastFailure ? `: ${lastFailure}` : ''}`);
  }

  private connection(purpose: 'consume' | 'publish', unreachable: Set<TransportHost>, after?: Connection): Connection {
    const { closingRequests, events, options } = this;
    const { disconnected, hosts, links } = this.#destination;
    return new Connection({
      disconnected,
      purpose,
      links,
      hosts: new Hosts(hosts, options.kombuFailoverStrategy, unreachable),
      backoff: new Backoff(options),
      connectionName: `${options.connectionName}:${purpose}`,
      livenessTimeoutMs: options.livenessTimeoutMs,
      events,
      closingRequests,
      after,
    });
  }
}
