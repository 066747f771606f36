import type { MessagingEvent, RabbitOptions } from '../../lib/index.js';
import { NotificationListener, NotifierCore, RpcClient, RpcServer, type IncomingRequest } from '../../lib/index.js';
import { Engine } from '../../lib/broker/engine/engine.js';
import { BrokerRefusal, type LinkProvider } from '../../lib/broker/link.js';
import { type BusChannel, BusConnection } from '../../lib/broker/memory/bus-connection.js';
import { Direction } from '../../lib/broker/memory/direction.js';
import { MemoryBus } from '../../lib/broker/memory/memory-bus.js';
import { MemoryQueue } from '../../lib/broker/memory/memory-queue.js';
import { MemoryLinks } from '../../lib/broker/memory/memory-link.js';
import { resolveRabbitOptions } from '../../lib/config/rabbit-options.js';
import type { Behaviour, Step } from './schedule.js';
import type { SeededRandom } from './random.js';
import { type TimerOwner, VirtualClock } from './virtual-clock.js';

export const target = { exchange: 'nova', topic: 'conductor' };

const options: RabbitOptions = {
  livenessTimeoutMs: 6_000,
  consumerCheckIntervalMs: 9_000,
  heartbeatTimeoutThreshold: 0,
  kombuMissingConsumerRetryTimeout: 10,
  // What was confirmed outlives all faults but a deletion.
  amqpDurableQueues: false,
};

/** Who hears what comes by a direction; nobody: the bus itself. */
const hearers = new WeakMap<object, TimerOwner>();

/** The network and the bus live on when a process ends; what arrives at a process is its own. */
function giveTimersTheirOwners(): void {
  const direction = Direction.prototype as unknown as { arm(): void };
  const { arm } = direction;
  direction.arm = function armForHearer(this: object) {
    VirtualClock.as(hearers.get(this), () => arm.call(this));
  };
  // Everything takes a turn, in which something else may happen.
  Direction.prototype.pass = Direction.prototype.send;
  const bus = MemoryBus.prototype;
  const { attach } = bus;
  bus.attach = function attachOwned(this: MemoryBus, connection) {
    const { owner } = VirtualClock;
    if (owner) hearers.set((connection as BusConnection).down, owner);
    attach.call(this, connection);
  };
  const connections = BusConnection.prototype;
  const { cut } = connections;
  connections.cut = function cutOwned(this: BusConnection) {
    VirtualClock.as(hearers.get(this.down), () => cut.call(this));
  };
  const queue = MemoryQueue.prototype;
  const { renewLease } = queue;
  queue.renewLease = function renewForNobody(this: MemoryQueue) {
    VirtualClock.as(undefined, () => renewLease.call(this));
  };
}
giveTimersTheirOwners();

/** One operating system process, with a client of the bus in it. */
export abstract class Node implements TimerOwner {
  dead = false;
  private closing = false;
  readonly events: { atMs: number; event: MessagingEvent }[] = [];
  protected readonly broker: Engine;

  constructor(
    readonly name: string,
    private readonly bus: MemoryBus,
    private readonly clock: VirtualClock,
  ) {
    const memory = new MemoryLinks(bus, 'memory://');
    const links: LinkProvider = {
      mayFallSilent: true,
      labelOf: () => name,
      open: (...request) => memory.open(...request),
    };
    this.broker = this.run(
      () =>
        new Engine(
          { links, hosts: [{ hostname: name, port: 0 }], url: name, disconnected: new Set() },
          resolveRabbitOptions(options),
        ),
    );
    this.broker.events.subscribe((event) => this.events.push({ atMs: clock.ms, event }));
  }

  get engine(): Engine {
    return this.broker;
  }

  run<T>(work: () => T): T {
    return VirtualClock.as(this, work);
  }

  /** As the kernel does it for a process that ends: its sockets are closed. */
  kill(): void {
    this.dead = true;
    for (const connection of this.bus.connections as BusConnection[]) {
      if (hearers.get(connection.down) === this) connection.forget();
    }
  }

  /** A start that the broker refuses is final; whoever watches over processes tries again. */
  protected keepTrying(start: () => Promise<void>): void {
    this.run(() => {
      start().catch(() => {
        if (!this.closing) setTimeout(() => this.keepTrying(start), 500);
      });
    });
  }

  shutDown(): Promise<void> {
    this.closing = true;
    return this.run(() => this.close());
  }

  abstract start(): void;
  protected abstract close(): Promise<void>;

  protected get now(): number {
    return this.clock.ms;
  }
}

/** How often each piece of work was begun, and whether it came `redelivered`. */
export interface Run {
  readonly node: string;
  readonly redelivered: boolean;
  readonly atMs: number;
}

export class ServerNode extends Node {
  private readonly server: RpcServer;

  constructor(
    name: string,
    bus: MemoryBus,
    clock: VirtualClock,
    slots: number,
    private readonly ran: (id: string, run: Run) => void,
  ) {
    super(name, bus, clock);
    const methods = Object.fromEntries(
      (['echo', 'fail', 'never', 'slow'] as const).map((behaviour) => [behaviour, this.handler(behaviour)]),
    );
    this.server = this.run(
      () =>
        new RpcServer(this.broker, { ...target, server: name }, [{ methods }], {
          executorThreadPoolSize: slots,
          shutdownTimeoutMs: 5_000,
        }),
    );
  }

  get health(): RpcServer['health'] {
    return this.server.health;
  }

  start(): void {
    this.keepTrying(() => this.server.start());
  }

  protected async close(): Promise<void> {
    await this.server.close();
    await this.broker.close();
  }

  private handler(behaviour: Behaviour) {
    return async (args: Record<string, unknown>, request: IncomingRequest): Promise<unknown> => {
      const { redelivered } = request.delivery;
      this.ran(String(args['id']), { node: this.name, redelivered, atMs: this.now });
      if (behaviour === 'slow') await new Promise((resolve) => setTimeout(resolve, 3_000));
      if (behaviour === 'never') await new Promise((resolve) => setTimeout(resolve, 12_000));
      if (behaviour === 'fail') throw new Error('as it was told');
      return args['id'];
    };
  }
}

export class ClientNode extends Node {
  private readonly client: RpcClient;
  private readonly notifier: NotifierCore;

  constructor(name: string, bus: MemoryBus, clock: VirtualClock) {
    super(name, bus, clock);
    this.client = this.run(() => new RpcClient(this.broker, target));
    this.notifier = this.run(() => new NotifierCore(this.broker, { exchange: 'nova', publisherId: name, retry: -1 }));
  }

  get pendingCalls(): number {
    return this.client.pendingCalls;
  }

  get pendingNotifications(): number {
    return this.notifier.pending;
  }

  get health(): RpcClient['health'] {
    return this.client.health;
  }

  start(): void {
    // Connects by itself.
  }

  call(behaviour: Behaviour, id: string, timeout: number, signal?: AbortSignal): Promise<unknown> {
    return this.run(() => this.client.prepare({ timeout }).call(behaviour, { id }, signal ? { signal } : {}));
  }

  cast(behaviour: Behaviour, id: string): Promise<unknown> {
    return this.run(() => this.client.cast(behaviour, { id }));
  }

  fanout(behaviour: Behaviour, id: string): Promise<unknown> {
    return this.run(() => this.client.fanout(behaviour, { id }));
  }

  notify(id: string): Promise<unknown> {
    return this.run(() => this.notifier.info('simulated', { id }));
  }

  protected async close(): Promise<void> {
    await this.notifier.close();
    await this.client.close();
    await this.broker.close();
  }
}

export class ListenerNode extends Node {
  private readonly listener: NotificationListener;

  constructor(name: string, bus: MemoryBus, clock: VirtualClock, heard: (id: string) => void) {
    super(name, bus, clock);
    const handler = ({ payload }: { payload: unknown }): void => heard(String((payload as { id: unknown }).id));
    this.listener = this.run(
      () => new NotificationListener(this.broker, [{ priorities: 'info', handler }], { exchange: 'nova' }),
    );
  }

  get health(): NotificationListener['health'] {
    return this.listener.health;
  }

  start(): void {
    this.keepTrying(() => this.listener.start());
  }

  protected async close(): Promise<void> {
    await this.listener.close();
    await this.broker.close();
  }
}

/** As long at most does a client hold a silent connection for alive. */
const heartbeatMs = 20_000;

/** The process whose connection it is. */
export function holderOf(connection: BusConnection | undefined): TimerOwner | undefined {
  return connection && hearers.get(connection.down);
}

/** The bus of a schedule, with its faults. */
export class FaultyBus {
  readonly bus = new MemoryBus(true);
  /** Notification queues that were deleted, or whose bindings were, may have lost what was confirmed. */
  lostNotifications = false;
  private readonly endings = new Set<() => void>();

  constructor(private readonly random: SeededRandom) {}

  get connections(): BusConnection[] {
    return this.bus.connections as BusConnection[];
  }

  inject(step: Step): void {
    switch (step.kind) {
      case 'connectionCut':
        return this.connection(step.which)?.cut();
      case 'connectionSilent':
        return this.fallSilent(this.connection(step.which), step.forgottenAfterMs);
      case 'connectionClosed': {
        const text = step.code === 320 ? 'CONNECTION_FORCED - broker forced connection closure' : 'INTERNAL_ERROR';
        return this.connection(step.which)?.close(new BrokerRefusal(step.code, text));
      }
      case 'channelRefused':
        return this.channel(step.which)?.refuse(new BrokerRefusal(step.code, refusalTexts[step.code]));
      case 'channelHangs': {
        const channel = this.channel(step.which);
        channel?.hang(true);
        return this.later(step.forMs, () => channel?.hang(false));
      }
      case 'queueDeleted': {
        const queues = this.bus.queueStates;
        const name = queues[step.which % Math.max(1, queues.length)]?.name;
        if (name === undefined) return;
        if (name.startsWith('notifications')) this.lostNotifications = true;
        return this.bus.deleteQueue(name);
      }
      case 'exchangeDeleted':
        return this.bus.deleteExchange(['nova', 'conductor_fanout'][step.which % 2]!);
      case 'bindingLost': {
        const { bindings } = this.bus;
        const binding = bindings[step.which % Math.max(1, bindings.length)];
        if (binding) this.bus.requireExchange(binding.exchange).unbind(this.bus.requireQueue(binding.queue));
        return;
      }
      case 'alarm':
        this.bus.alarmed = true;
        return this.later(step.forMs, () => (this.bus.alarmed = false));
      case 'unreachable':
        this.bus.accepting = false;
        return this.later(step.forMs, () => (this.bus.accepting = true));
      case 'nacks':
        this.bus.faults.nacks = () => this.random.chance(0.5);
        return this.later(step.forMs, () => delete this.bus.faults.nacks);
      case 'copies':
        this.bus.faults.copies = () => (this.random.chance(0.5) ? 2 : 1);
        return this.later(step.forMs, () => delete this.bus.faults.copies);
      case 'verbRefused': {
        const text = step.code === 403 ? "ACCESS_REFUSED - access to it refused for user 'u'" : 'PRECONDITION_FAILED';
        this.bus.faults.refusal = (verb) =>
          verb === 'declare' || verb === 'bind' ? new BrokerRefusal(step.code, text) : undefined;
        return this.later(step.forMs, () => delete this.bus.faults.refusal);
      }
      case 'delay':
        this.bus.delayMs = step.ms;
        return;
      default:
        return;
    }
  }

  /** All faults are over. */
  heal(): void {
    for (const end of this.endings) end();
    this.endings.clear();
    this.bus.delayMs = 0;
  }

  private fallSilent(connection: BusConnection | undefined, forgottenAfterMs: number): void {
    if (!connection) return;
    connection.fallSilent();
    this.later(forgottenAfterMs, () => connection.forget());
    // Where nothing else notices it, as under an alarm, AMQP's heartbeats do.
    setTimeout(() => connection.cut(), heartbeatMs);
  }

  private later(ms: number, end: () => void): void {
    const once = (): void => {
      if (this.endings.delete(once)) end();
    };
    this.endings.add(once);
    setTimeout(once, ms);
  }

  connection(which: number): BusConnection | undefined {
    const { connections } = this;
    return connections[which % Math.max(1, connections.length)];
  }

  private channel(which: number): BusChannel | undefined {
    const channels = this.connections.flatMap(({ openChannels }) => openChannels);
    return channels[which % Math.max(1, channels.length)];
  }
}

const refusalTexts = {
  403: "ACCESS_REFUSED - access to exchange 'elsewhere' in vhost '/' refused for user 'u'",
  404: "NOT_FOUND - no exchange 'nova' in vhost '/'",
  405: "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'x'",
  406: 'PRECONDITION_FAILED - unknown delivery tag 7',
} as const;
