import { type Broker, type MessageBroker, rpcSeamOf, type Subscription } from '../../broker/broker.js';
import { ClosedError } from '../../errors/delivery.errors.js';
import { attachHooks } from '../../events/around-hook.js';
import type { EventChannel } from '../../events/event-channel.js';
import { healthOf, type HealthSnapshot } from '../../events/health-snapshot.js';
import type { HookedServer } from '../../events/hooked-part.js';
import type { LifecycleChanged } from '../../events/messaging-event.js';
import { within } from '../../events/within.js';
import type { Target } from '../../wire/target.js';
import { QueueNames } from '../queue-names.js';
import { RequestGate, type GateCounters } from './request-gate.js';
import { RequestReader } from './request-reader.js';
import { RequestRunner } from './request-runner.js';
import type { RpcEndpoint } from './rpc-endpoint.js';
import { resolveRpcServerOptions, type ResolvedRpcServerOptions, type RpcServerOptions } from './rpc-server-options.js';
import { ServiceDirectory, servicesOf, type ServedEndpoint } from './rpc-service.js';

/**
 * Counters of a server since it was made.
 *
 * @publicApi
 */
export interface RpcServerCounters extends GateCounters {
  /** Requests answered with a failure, or casts that failed. */
  failed: number;
}

/** Most messages that wait in this process for a free slot, per queue. */
const MOST_HELD = 64;
/** Time for the broker to agree to a goodbye. */
const GOODBYE_MS = 2000;
/** A stop waits so long for reply queues that are missing: most will be those of callers that have gone for good. */
const MISSING_QUEUES_MS = 5000;

/**
 * Serves endpoints to oslo.messaging clients, without Nest. Mirrors `oslo_messaging.get_rpc_server`.
 *
 * A request runs at most once: it is acknowledged just before its handler starts, and only when a handler
 * slot is free.
 *
 * @example
 * ```ts
 * const broker = await connectBroker('rabbit://guest:guest@127.0.0.1:5672/');
 * const server = new RpcServer(broker, { exchange: 'nova', topic: 'conductor', server: 'host1' }, [
 *   { version: '1.1', methods: { ping: ({ arg }: { arg: string }) => `pong ${arg}` } },
 * ]);
 * await server.start();
 * // and at the end
 * await server.close();
 * await broker.close();
 * ```
 *
 * @publicApi
 */
export class RpcServer {
  /** Everything that this server reports, and its broker. */
  readonly events: EventChannel;
  private readonly options: ResolvedRpcServerOptions;
  private readonly directory: ServiceDirectory;
  private readonly runner: RequestRunner;
  private readonly gate: RequestGate;
  private subscription: Subscription | undefined;
  private readonly broker: MessageBroker;
  private readonly detachHooks: () => void;
  private readonly names: QueueNames;
  private starting: Promise<void> | undefined;
  private consuming: Promise<void> | undefined;
  private draining: Promise<void> | undefined;
  private endStart: (() => void) | undefined;

  /**
   * @throws InvalidTarget without a server, or without a topic for an endpoint
   * @throws ConfigurationError for endpoints or options that make no sense
   */
  constructor(broker: Broker, target: Target, endpoints: readonly RpcEndpoint[], options: RpcServerOptions = {}) {
    this.broker = rpcSeamOf(broker);
    this.options = resolveRpcServerOptions(options);
    this.names = new QueueNames(this.broker.options);
    this.events = broker.events.scope();
    this.directory = new ServiceDirectory(servicesOf(target, endpoints, this.options, this.names));
    const { maxMessageBytes: maxBytes, maxMessageValues: maxValues } = this.broker.options;
    const limits = { maxBytes, maxValues, integers: this.options.integers };
    this.runner = new RequestRunner(this.broker, this.options, this.events);
    this.gate = new RequestGate(
      this.options.executorThreadPoolSize,
      new RequestReader(this.directory, limits),
      this.runner,
      this.events,
      this.broker.options.maxHeldBytes,
    );
    this.events.watch((event) => {
      if (event.type === 'message-rejected' && this.queues.includes(event.queue)) this.gate.noteRejected();
    });
    this.events.watch(({ type }) => {
      if (type === 'connection-changed') this.gate.passSoon();
    });
    this.detachHooks = attachHooks(this.options.hooks, this.hookedPart(target.server!));
  }

  /** The queues that are consumed: topic, server and fanout queue of each topic served. */
  get queues(): readonly string[] {
    return this.directory.queues;
  }

  /** Everything that can be called here, as data: for tables of versions, documents and consoles. */
  get served(): readonly ServedEndpoint[] {
    return this.directory.services.flatMap(({ served }) => served);
  }

  get counters(): Readonly<RpcServerCounters> {
    return { ...this.gate.counters, failed: this.runner.failed };
  }

  /** How this server is right now. */
  get health(): HealthSnapshot {
    const consuming = this.subscription?.consuming ?? false;
    const health = healthOf(this.broker.state, consuming, this.draining !== undefined);
    return { ...health, saturated: this.gate.isSaturated };
  }

  /**
   * Declares and consumes the queues; resolves when requests can come in. Waits for a broker that is down, at most
   * `giveUpMs` milliseconds where that is given; 0: one attempt.
   *
   * @throws PreconditionFailed a queue or exchange exists with other properties, or the broker does not support it
   * @throws MessageDeliveryFailure `giveUpMs` passes first
   * @throws ClosedError
   */
  start(giveUpMs?: number): Promise<void> {
    if (this.draining) return Promise.reject(new ClosedError('server'));
    this.starting ??= new Promise((resolve, reject) => {
      this.endStart = () => reject(new ClosedError('server'));
      this.consuming = this.consume(giveUpMs);
      this.consuming.then(resolve, (error: unknown) => {
        this.starting = undefined;
        reject(error);
      });
    });
    return this.starting;
  }

  /**
   * Stops without losing work: no new requests; what has not started goes back to its queue (a sibling serves
   * it), but for fanouts, which nobody else could run; what runs ends and is answered. Then the fanout
   * queues are deleted. What is not done within `shutdownTimeoutMs` is dropped and reported. Idempotent.
   */
  drain(): Promise<void> {
    this.draining ??= this.stop();
    return this.draining;
  }

  /** The same as `drain`; the broker stays open. */
  close(): Promise<void> {
    return this.drain();
  }

  private hookedPart(server: string): HookedServer {
    const { broker: bus, directory, events, gate } = this;
    return {
      kind: 'server',
      bus,
      events,
      server,
      topics: [...new Set(directory.services.map(({ topic }) => topic))],
      counters: gate.counters,
      get load() {
        return gate.load;
      },
    };
  }

  private async consume(giveUpMs: number | undefined): Promise<void> {
    const { rabbitQosPrefetchCount } = this.broker.options;
    const subscription = await this.broker.consume({
      topology: this.directory.services.flatMap((service) => service.topology(this.broker.options)),
      queues: this.directory.queues,
      prefetch: rabbitQosPrefetchCount ?? Math.min(MOST_HELD, this.options.executorThreadPoolSize),
      giveUpMs,
      onDeliveries: (deliveries, subscription) => this.gate.receive(deliveries, subscription),
      onInterrupted: () => this.gate.forgetHeld(),
    });
    this.subscription = subscription;
    if (this.draining) return this.leave();
    this.reportLifecycle('started', `Serving ${this.directory.queues.join(', ')}`);
  }

  private async stop(): Promise<void> {
    const endsAt = performance.now() + this.options.shutdownTimeoutMs;
    this.reportLifecycle('draining', `Draining ${this.directory.queues.join(', ')}`);
    this.gate.restrict(({ queue }) => this.directory.isFanoutQueue(queue));
    this.endStart?.();
    await within(GOODBYE_MS, this.subscription?.cancel());
    this.gate.giveBack();
    await within(endsAt - performance.now(), this.finishWork());
    this.gate.abandon(new ClosedError('server'));
    this.runner.replies.close();
    await within(GOODBYE_MS, this.leave());
    this.reportLifecycle('closed', `No longer serving ${this.directory.queues.join(', ')}`);
    this.detachHooks();
    this.events.detach();
  }

  private async finishWork(): Promise<void> {
    const { replies } = this.runner;
    await this.gate.emptied();
    await within(MISSING_QUEUES_MS, replies.settled());
    replies.close();
    await replies.settled();
  }

  /** Also when the queues could only be consumed after the server had been stopped. */
  private async leave(): Promise<void> {
    if (!this.subscription) {
      // A queue that is half declared is left by `consume`, when that has got so far.
      if (this.broker.state === 'connected') await this.consuming?.catch(() => undefined);
      return;
    }
    await this.subscription.close();
    if (this.names.keepFanoutQueues) return;
    await Promise.all(this.directory.services.map(({ fanoutQueue }) => this.broker.deleteQueue(fanoutQueue)));
  }

  private reportLifecycle(to: LifecycleChanged['to'], message: string): void {
    this.events.emit({ type: 'lifecycle-changed', level: 'log', subject: 'server', to, message });
  }
}
