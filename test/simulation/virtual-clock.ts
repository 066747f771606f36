import { SeededRandom } from './random.js';

/** Who sets timers; when it is dead, they fire no more. */
export interface TimerOwner {
  readonly dead: boolean;
}

type Callback = (...args: unknown[]) => void;

/** What Node's timers are to those who set them. */
class Timer {
  pending = true;

  constructor(
    readonly callback: Callback,
    readonly args: readonly unknown[],
    readonly owner: TimerOwner | undefined,
    readonly intervalMs: number | undefined,
    public dueAt: number,
    public order: number,
  ) {}

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.order;
  }
}

/** Runs what waits in microtasks and `process.nextTick`, so that a whole schedule takes no turn of the real event loop. */
const drainMicrotasks = (process as unknown as { _tickCallback(): void })._tickCallback;

const realGlobals = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
};

/**
 * A clock that stands still unless it is moved, in place of Node's timers, `performance.now`, `Date.now` and `Math.random`.
 * Timers of one moment run in the order in which they were set; immediates before those that are due later.
 */
export class VirtualClock {
  /** Whoever runs now: whoever has set the timer that has fired, up to the end of all microtasks. */
  static owner: TimerOwner | undefined;
  private now = 0;
  private order = 0;
  /** A binary heap by due time and order. */
  private readonly heap: Timer[] = [];
  private readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(seed ^ 0x5eed);
  }

  /** What `work` sets is `owner`'s, and what follows from it in microtasks, unless this is called in one. */
  static as<T>(owner: TimerOwner | undefined, work: () => T): T {
    const before = VirtualClock.owner;
    if (before === owner) return work();
    VirtualClock.owner = owner;
    try {
      const result = work();
      // Whoever gets it listens later.
      if (result instanceof Promise) result.catch(() => undefined);
      if (owner) drainMicrotasks();
      return result;
    } finally {
      VirtualClock.owner = before;
    }
  }

  get ms(): number {
    return this.now;
  }

  /** Timers that are set, of owners that live. */
  get pending(): number {
    return this.heap.filter((timer) => timer.pending && timer.owner?.dead !== true).length;
  }

  /** Runs `work` with this clock in place of the real one; `work` moves it. */
  use<T>(work: () => T): T {
    const { now: realNow } = performance;
    const { now: realDate } = Date;
    const { random: realRandom } = Math;
    const cryptography = globalThis.crypto.getRandomValues;
    // Ids are drawn in advance, for more than one schedule.
    const ids = new SeededRandom(0);
    const clear = (timer?: unknown): void => this.clear(timer as Timer | undefined);
    const set =
      (intervalMs: boolean) =>
      (callback: never, ms?: number, ...args: unknown[]) =>
        this.set(callback, Math.max(1, ms ?? 1), args, intervalMs);
    Object.assign(globalThis, {
      setTimeout: set(false),
      setInterval: set(true),
      setImmediate: (callback: never, ...args: unknown[]) => this.set(callback, 0, args, false),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    });
    performance.now = () => this.now;
    Date.now = () => 1_767_225_600_000 + this.now;
    Math.random = () => this.random.next();
    globalThis.crypto.getRandomValues = <A extends ArrayBufferView | null>(bytes: A): A => {
      const view = bytes as unknown as Uint8Array;
      for (let index = 0; index < view.length; index++) view[index] = ids.below(256);
      return bytes;
    };
    try {
      return work();
    } finally {
      Object.assign(globalThis, realGlobals);
      performance.now = realNow;
      Date.now = realDate;
      Math.random = realRandom;
      globalThis.crypto.getRandomValues = cryptography;
    }
  }

  /** Lets time pass, up to that moment. */
  runUntil(untilMs: number): void {
    drainMicrotasks();
    for (let next = this.heap[0]; next && next.dueAt <= untilMs; next = this.heap[0]) {
      this.pop();
      if (!next.pending) continue;
      this.now = Math.max(this.now, next.dueAt);
      VirtualClock.owner = next.owner;
      this.fire(next);
      drainMicrotasks();
      VirtualClock.owner = undefined;
    }
    this.now = Math.max(this.now, untilMs);
  }

  private fire(timer: Timer): void {
    if (timer.owner?.dead) {
      timer.pending = false;
      return;
    }
    if (timer.intervalMs === undefined) {
      timer.pending = false;
    } else {
      timer.dueAt = this.now + timer.intervalMs;
      timer.order = this.order++;
      this.push(timer);
    }
    timer.callback(...timer.args);
  }

  private set(callback: Callback, ms: number, args: readonly unknown[], repeats: boolean): Timer {
    const { owner } = VirtualClock;
    const timer = new Timer(callback, args, owner, repeats ? ms : undefined, this.now + ms, this.order++);
    this.push(timer);
    return timer;
  }

  private clear(timer: Timer | undefined): void {
    if (timer && typeof timer === 'object') timer.pending = false;
  }

  private push(timer: Timer): void {
    const { heap } = this;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const child = left + 1 < heap.length && isBefore(heap[left + 1]!, heap[left]!) ? left + 1 : left;
      if (!isBefore(heap[child]!, heap[at]!)) return;
      [heap[at], heap[child]] = [heap[child]!, heap[at]!];
      at = child;
    }
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.order < other.order);
}
