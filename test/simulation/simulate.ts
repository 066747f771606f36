import { isUnconfirmed } from '../../lib/errors/oslo-messaging.error.js';
import { illegalTransitions } from '../../lib/broker/engine/state.js';
import { activeMs, type Schedule, type Step, type TimedStep } from './schedule.js';
import { SeededRandom } from './random.js';
import { VirtualClock } from './virtual-clock.js';
import { ClientNode, FaultyBus, holderOf, ListenerNode, type Node, type Run, ServerNode } from './world.js';

/** What a schedule came to. */
export interface Outcome {
  readonly seed: number;
  /** What does not hold, in words; empty: all well. */
  readonly violations: readonly string[];
  /** The same for the same seed, to the letter. */
  readonly trace: readonly string[];
  /** How often what happened. */
  readonly happened: Readonly<Record<string, number>>;
}

interface Promised {
  readonly id: string;
  readonly kind: string;
  readonly node: Node;
  readonly startedAt: number;
  readonly deadlineAt: number;
  settledAt?: number;
  outcome?: 'failed' | 'ok';
  error?: unknown;
}

/** Longest that anything may still take when all faults are over. */
const quietMs = 40_000;
/** As long a request may be on its way, under an alarm or through a channel that hangs, before it begins to expire. */
const heldUpMs = 10_000;
/** The same where another channel hangs, on its way out of the broker. */
const heldUpTwiceMs = 18_000;
/** As long a call may take when all is well, retries of answers to a queue that is gone included. */
const probeMs = 8_000;
/** A timeout for silence, a third more, and what connecting takes. */
const noticedMs = 9_500;
/** Faults that bring messages out of their order. */
const reordering: ReadonlySet<Step['kind']> = new Set([
  'bindingLost',
  'channelRefused',
  'connectionSilent',
  'copies',
  'drain',
  'exchangeDeleted',
  'kill',
  'nacks',
  'queueDeleted',
  'verbRefused',
]);
/** Turns cost a millisecond of nothing here; a deadline is noticed in this time. */
const graceMs = 50;

/** Runs a schedule from its beginning to the end of all that it has begun. */
export function simulate(schedule: Schedule): Outcome {
  const clock = new VirtualClock(schedule.seed);
  return clock.use(() => new Simulation(schedule, clock).run());
}

class Simulation {
  private readonly random: SeededRandom;
  private readonly faulty: FaultyBus;
  private readonly violations: string[] = [];
  private readonly trace: string[] = [];
  private readonly happened: Record<string, number> = {};
  private readonly promised: Promised[] = [];
  private readonly runs = new Map<string, Run[]>();
  private readonly heard = new Map<string, number>();
  private readonly heardOrder: string[] = [];
  private readonly silences: { readonly node: Node; readonly atMs: number }[] = [];
  private readonly aborts: AbortController[] = [];
  private readonly nodes: Node[] = [];
  private readonly graveyard: Node[] = [];
  private ids = 0;
  private generation = 0;
  private copies = false;

  constructor(
    private readonly schedule: Schedule,
    private readonly clock: VirtualClock,
  ) {
    this.random = new SeededRandom(schedule.seed ^ 0xfa17);
    this.faulty = new FaultyBus(this.random);
  }

  run(): Outcome {
    const { report } = illegalTransitions;
    illegalTransitions.report = (transition) => this.violate(transition.message);
    try {
      this.begin();
      for (const step of this.schedule.steps) this.take(step);
      this.clock.runUntil(activeMs);
      this.faulty.heal();
      this.clock.runUntil(activeMs + quietMs);
      this.checkQuiet();
      this.probe();
      this.end();
    } finally {
      illegalTransitions.report = report;
    }
    return { seed: this.schedule.seed, violations: this.violations, trace: this.trace, happened: this.happened };
  }

  private begin(): void {
    const { bus } = this.faulty;
    for (const slot of [0, 1, 2, 3, 4]) this.nodes.push(this.newNode(slot));
    void bus;
  }

  /** Two servers, one of them with a single slot; two clients; a listener. */
  private newNode(slot: number): Node {
    const { bus } = this.faulty;
    const node = this.made(slot, bus);
    node.engine.events.subscribe((event) => {
      this.count(event.type);
      this.trace.push(`${this.clock.ms} ${node.name} ${event.type}`);
    });
    node.start();
    return node;
  }

  private made(slot: number, bus: FaultyBus['bus']): Node {
    const { clock } = this;
    const ran = (id: string, run: Run): void => {
      this.trace.push(`${clock.ms} ${run.node} runs ${id}`);
      this.runs.set(id, [...(this.runs.get(id) ?? []), run]);
    };
    if (slot === 0) return new ServerNode('server0', bus, clock, 64, ran);
    if (slot === 1) return new ServerNode('server1', bus, clock, 1, ran);
    if (slot === 4) {
      return new ListenerNode('listener', bus, clock, (id) => {
        this.trace.push(`${clock.ms} heard ${id}`);
        if (!this.heard.has(id)) this.heardOrder.push(id);
        this.heard.set(id, (this.heard.get(id) ?? 0) + 1);
      });
    }
    return new ClientNode(`client${slot}`, bus, clock);
  }

  private take({ atMs, step }: TimedStep): void {
    this.clock.runUntil(atMs);
    this.trace.push(`${atMs} ${step.kind}`);
    this.count(step.kind);
    switch (step.kind) {
      case 'call':
      case 'cast':
      case 'fanout':
      case 'notify':
        return this.send(step);
      case 'abort':
        return this.aborts[step.which % Math.max(1, this.aborts.length)]?.abort();
      case 'drain':
      case 'kill':
        return this.replace(step.kind, step.node % this.nodes.length, step.backAfterMs);
      default:
        if (step.kind === 'copies') this.copies = true;
        if (step.kind === 'connectionSilent') this.noteSilence(step.which);
        this.faulty.inject(step);
    }
  }

  private noteSilence(which: number): void {
    const connection = this.faulty.connection(which);
    const holder = holderOf(connection) as Node | undefined;
    // One that was silent before is given up already, or about to be.
    if (!connection || connection.up.hasEnded || connection.down.hasEnded) return;
    if (holder?.engine.state === 'connected') this.silences.push({ node: holder, atMs: this.clock.ms });
  }

  private send(step: Extract<Step, { kind: 'call' | 'cast' | 'fanout' | 'notify' }>): void {
    const node = this.nodes[2 + (step.node % 2)];
    if (!(node instanceof ClientNode) || node.dead) return;
    const id = `${step.kind}${this.ids++}`;
    if (step.kind === 'call') {
      const abort = step.abortable ? new AbortController() : undefined;
      if (abort) this.aborts.push(abort);
      const calling = node.call(step.behaviour, id, step.timeoutS, abort?.signal);
      return this.promise(id, 'call', node, calling, step.timeoutS * 1_000);
    }
    if (step.kind === 'notify') {
      this.promise(id, 'notify', node, node.notify(id));
      if (step.count > 1) this.send({ ...step, count: step.count - 1 });
      return;
    }
    const sending = step.kind === 'cast' ? node.cast(step.behaviour, id) : node.fanout(step.behaviour, id);
    this.promise(id, step.kind, node, sending);
  }

  private promise(id: string, kind: string, node: Node, promise: Promise<unknown>, timeoutMs = Infinity): void {
    const { ms } = this.clock;
    const made: Promised = { id, kind, node, startedAt: ms, deadlineAt: ms + timeoutMs };
    this.promised.push(made);
    const settle = (outcome: 'failed' | 'ok', what: unknown): void => {
      Object.assign(made, { settledAt: this.clock.ms, outcome, error: outcome === 'failed' ? what : undefined });
      this.trace.push(`${this.clock.ms} ${id} ${outcome}`);
      if (outcome === 'ok' && kind === 'call' && what !== id) this.violate(`${id} was answered ${String(what)}`);
    };
    promise.then(
      (result) => settle('ok', result),
      (error: unknown) => settle('failed', error),
    );
  }

  private replace(kind: 'drain' | 'kill', slot: number, backAfterMs: number): void {
    const node = this.nodes[slot]!;
    if (this.graveyard.includes(node)) return;
    this.graveyard.push(node);
    if (kind === 'kill') {
      node.kill();
      this.revive(slot, backAfterMs);
      return;
    }
    node.shutDown().then(
      () => this.revive(slot, backAfterMs),
      (error: unknown) => this.violate(`closing ${node.name} rejects: ${String(error)}`),
    );
  }

  private revive(slot: number, afterMs: number): void {
    VirtualClock.as(undefined, () =>
      setTimeout(() => {
        this.generation += 1;
        this.nodes[slot] = this.newNode(slot);
      }, afterMs),
    );
  }

  /** When all faults are over and everything has had its time. */
  private checkQuiet(): void {
    this.checkPromises();
    this.checkRuns();
    this.checkNotifications();
    this.checkOrder();
    this.checkSilences();
    for (const node of this.nodes) this.checkNode(node);
    // What a killed process has left behind expires with its queue.
    const waiting = this.faulty.bus.queueStates.filter(({ consumers, messages }) => consumers > 0 && messages > 0);
    for (const { name, messages } of waiting) this.violate(`${messages} messages are left in ${name}`);
  }

  /** Everything works again. */
  private probe(): void {
    const { ms } = this.clock;
    const before = this.promised.length;
    for (const node of [0, 1]) {
      this.send({ kind: 'call', node, behaviour: 'echo', timeoutS: 5, abortable: false });
      this.send({ kind: 'notify', node, count: 1 });
    }
    this.clock.runUntil(ms + probeMs);
    for (const { id, node, outcome } of this.promised.slice(before)) {
      if (this.graveyard.includes(node)) continue;
      if (outcome !== 'ok') this.violate(`${id} does not work when all is well`);
      if (id.startsWith('notify') && !this.heard.has(id)) this.violate(`${id} is not heard when all is well`);
    }
  }

  /** First in, first out, where nothing has sent a message back. */
  private checkOrder(): void {
    if (this.schedule.steps.some(({ step }) => reordering.has(step.kind))) return;
    for (const slot of [2, 3]) {
      const sent = this.promised.filter(({ kind, node }) => kind === 'notify' && node.name === `client${slot}`);
      const heard = sent.map(({ id }) => this.heardOrder.indexOf(id)).filter((at) => at >= 0);
      if (heard.some((at, index) => index > 0 && at < heard[index - 1]!))
        this.violate(`notifications of client${slot} were heard out of order`);
    }
  }

  /** A connection that says nothing is given up in time, unless an alarm explains it. */
  private checkSilences(): void {
    if (this.schedule.steps.some(({ step }) => step.kind === 'alarm')) return;
    for (const { node, atMs } of this.silences) {
      if (this.graveyard.includes(node)) continue;
      const told = node.events.some(
        ({ atMs: toldAt, event }) =>
          event.type === 'connection-changed' &&
          event.to === 'disconnected' &&
          toldAt >= atMs &&
          toldAt <= atMs + noticedMs,
      );
      if (!told) this.violate(`${node.name} has not noticed a silence`);
    }
  }

  private checkPromises(): void {
    for (const { id, kind, node, settledAt, deadlineAt, outcome, error } of this.promised) {
      if (node.dead) continue;
      if (settledAt === undefined) this.violate(`${id} is not settled`);
      else if (settledAt > deadlineAt + graceMs) this.violate(`${id} was settled ${settledAt - deadlineAt} ms late`);
      if (outcome === 'failed' && kind === 'notify' && !mayFail(error)) this.violate(`${id} failed: ${String(error)}`);
    }
  }

  /** Twice only where that was counted: published again, or delivered again; and not long after its caller has given up. */
  private checkRuns(): void {
    const hangs = this.schedule.steps.filter(({ step }) => step.kind === 'channelHangs').length;
    const graceMs = hangs > 1 ? heldUpTwiceMs : heldUpMs;
    for (const [id, runs] of this.runs) {
      const { startedAt, deadlineAt } = this.promised.find((one) => one.id === id) ?? {
        startedAt: 0,
        deadlineAt: Infinity,
      };
      const latest = Math.max(...runs.map(({ atMs }) => atMs));
      // Its expiration counts anew at a busy server: the wire does not tell how long it was in the queue.
      if (latest > deadlineAt + Math.max(graceMs, deadlineAt - startedAt))
        this.violate(`${id} ran ${latest - deadlineAt} ms after its deadline`);
      if (id.startsWith('fanout')) continue;
      if (runs.length < 2 || this.copies) continue;
      const sender = this.promised.find((one) => one.id === id)?.node;
      const republished = sender?.events.some(({ event }) => event.type === 'message-republished') ?? false;
      const redelivered = runs.some((run) => run.redelivered);
      if (!republished && !redelivered) this.violate(`${id} ran ${runs.length} times, uncounted`);
      const onOneNode = new Map<string, number>();
      for (const { node } of runs) onOneNode.set(node, (onOneNode.get(node) ?? 0) + 1);
      const most = Math.max(...onOneNode.values());
      // A process that was started anew has forgotten.
      if (most > 1 && this.generation === 0) this.violate(`${id} ran ${most} times in one process`);
    }
  }

  private checkNotifications(): void {
    if (this.faulty.lostNotifications) return;
    for (const { id, kind, outcome } of this.promised) {
      if (kind === 'notify' && outcome === 'ok' && !this.heard.has(id)) this.violate(`${id} was confirmed and is lost`);
    }
  }

  private checkNode(node: Node): void {
    if (this.graveyard.includes(node)) return this.violate(`${node.name} is not back`);
    const { state } = node.engine;
    if (state !== 'connected') this.violate(`${node.name} is ${state}`);
    if (node instanceof ClientNode) {
      if (node.pendingCalls > 0) this.violate(`${node.name} has ${node.pendingCalls} calls pending`);
      if (node.pendingNotifications > 0) this.violate(`${node.name} has notifications pending`);
      if (node.health.consuming === false) this.violate(`${node.name} does not consume its reply queue`);
    } else {
      const { health } = node as ListenerNode | ServerNode;
      if (!health.consuming) this.violate(`${node.name} does not consume`);
    }
    const { inFlight, pending } = (node.engine as unknown as InsideEngine).publisher;
    if (pending.size > 0) this.violate(`${node.name} keeps ${pending.size} messages`);
    for (const [purpose, { messages, bytes }] of Object.entries(inFlight.loads)) {
      if (messages !== 0 || bytes !== 0)
        this.violate(`${node.name}: ${messages} ${purpose}s in flight, ${bytes} bytes`);
    }
    this.checkEvents(node);
  }

  /** What was lost is told to be back. */
  private checkEvents(node: Node): void {
    for (const connection of ['consume', 'publish'] as const) {
      const last = node.events.findLast(
        ({ event }) => event.type === 'connection-changed' && event.connection === connection,
      )?.event;
      if (last?.type === 'connection-changed' && last.to !== 'connected')
        this.violate(`${node.name}: the last word on the ${connection} connection is ${last.to}`);
    }
    // Nobody misses what nobody consumes: the first consumer was refused for good, and its caller told.
    if ((node.engine as unknown as InsideEngine).subscriptions.size === 0) return;
    const lost = new Set<string>();
    for (const { event } of node.events) {
      if (event.type === 'consumers-lost') for (const queue of event.queues) lost.add(queue);
      if (event.type === 'consumers-restored') for (const queue of event.queues) lost.delete(queue);
    }
    for (const queue of lost)
      this.violate(`${node.name}: ${queue.replace(/[0-9a-f]{32}/, '…')} was lost, and never told to be back`);
  }

  /** Everything is closed: nothing is left. */
  private end(): void {
    let closed = 0;
    for (const node of this.nodes) {
      if (this.graveyard.includes(node)) continue;
      node.shutDown().then(
        () => (closed += 1),
        (error: unknown) => this.violate(`closing ${node.name} rejects: ${String(error)}`),
      );
    }
    const expected = this.nodes.filter((node) => !this.graveyard.includes(node)).length;
    this.clock.runUntil(activeMs + quietMs + 20_000);
    if (closed !== expected) this.violate(`${expected - closed} processes do not close`);
    // Queues of the bus expire by themselves, much later.
    const { connections } = this.faulty;
    if (connections.length > 0) this.violate(`${connections.length} connections are left`);
    const left = this.clock.pending - this.faulty.bus.queueStates.length;
    if (left > 0) this.violate(`${left} timers are left`);
    for (const node of [...this.nodes, ...this.graveyard]) {
      if (!node.dead) this.checkClosed(node);
    }
  }

  private checkClosed(node: Node): void {
    const { subscriptions } = node.engine as unknown as InsideEngine;
    if (subscriptions.size > 0) this.violate(`${node.name}: ${subscriptions.size} subscriptions are left`);
  }

  private violate(what: string): void {
    this.violations.push(what);
  }

  private count(what: string): void {
    this.happened[what] = (this.happened[what] ?? 0) + 1;
  }
}

interface InsideEngine {
  readonly publisher: {
    readonly pending: { readonly size: number };
    readonly inFlight: { readonly loads: Record<string, { messages: number; bytes: number }> };
  };
  readonly subscriptions: { readonly size: number };
}

/** A notification is tried until its process ends, unless the broker refuses it. */
function mayFail(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code;
  return (
    isUnconfirmed(error) ||
    code === 'OSLO_CLOSED' ||
    code === 'OSLO_TOPOLOGY' ||
    code === 'OSLO_DELIVERY' ||
    code === 'OSLO_NO_ROUTE'
  );
}

const { setImmediate: nextTurn } = globalThis;

/**
 * The same in a turn of its own: within a promise no other promise can be brought to its end, and what a schedule leaves to
 * the real event loop has its turn in between.
 */
export function simulated(schedule: Schedule): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    nextTurn(() => {
      try {
        resolve(simulate(schedule));
      } catch (error) {
        reject(error);
      }
    });
  });
}
