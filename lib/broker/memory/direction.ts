import { longestTimerMs } from '../../events/longest-timer.js';

/** The effect of a frame that arrives; `'unread'`: it stays where it is, and all behind it, until `release`. */
export type Arrival = () => 'unread' | void;

interface Frame {
  arrive: Arrival;
  /** On the clock of `performance.now()`. */
  sentAt: number;
}

/**
 * One direction of a connection: frames arrive in their order, in a later turn than the one that sent them, or as much
 * later as the bus is slow.
 */
export class Direction {
  private frames: Frame[] = [];
  /** `held`: what arrives is not read; `ended`: what is sent reaches nobody. */
  private state: 'ended' | 'held' | 'open' = 'open';
  /** Frames that are still to arrive in this turn. */
  private arriving = 0;
  private turn: NodeJS.Immediate | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly delayMs: () => number,
    private readonly inContext: (arrive: Arrival) => ReturnType<Arrival> = (arrive) => arrive(),
  ) {}

  get hasEnded(): boolean {
    return this.state === 'ended';
  }

  send(arrive: Arrival): void {
    if (this.state === 'ended') return;
    this.frames.push({ arrive, sentAt: performance.now() });
    this.arm();
  }

  /** The same for what calls nobody back: it arrives at once where nothing is before it, and the bus is not slow. */
  pass(arrive: Arrival): void {
    if (this.state !== 'open' || this.frames.length > 0 || this.arriving > 0 || this.delayMs() > 0)
      return this.send(arrive);
    if (this.inContext(arrive) !== 'unread') return;
    this.frames.push({ arrive, sentAt: performance.now() });
    this.state = 'held';
  }

  release(): void {
    if (this.state !== 'held') return;
    this.state = 'open';
    this.arm();
  }

  /** Frames under way become as fast, or as slow, as those that come after them. */
  delayChanged(): void {
    this.disarm();
    this.arm();
  }

  /** Lets frames under way arrive now. */
  flush(): void {
    const { frames } = this;
    this.frames = [];
    this.disarm();
    for (const { arrive } of frames) this.inContext(arrive);
  }

  /** Loses frames under way, and those that are still sent. */
  end(): void {
    this.state = 'ended';
    this.frames = [];
    this.disarm();
  }

  private arrived(): void {
    const frames = this.frames;
    // Frames sent by those that arrive here come in a turn of their own.
    this.frames = [];
    let read = 0;
    for (; read < frames.length && this.isOpen && this.msLeft(frames[read]!) <= 0; read++) {
      this.arriving = frames.length - read - 1;
      if (this.inContext(frames[read]!.arrive) !== 'unread') continue;
      if (this.isOpen) this.state = 'held';
      break;
    }
    this.arriving = 0;
    if (this.hasEnded) return;
    if (read < frames.length) this.frames = [...frames.slice(read), ...this.frames];
    this.arm();
  }

  // A method, which the compiler does not believe to be constant between two calls.
  private get isOpen(): boolean {
    return this.state === 'open';
  }

  private arm(): void {
    const [first] = this.frames;
    if (!first || this.state !== 'open' || this.turn || this.timer) return;
    const msLeft = this.msLeft(first);
    if (msLeft <= 0) {
      this.turn = setImmediate(() => {
        this.turn = undefined;
        this.arrived();
      });
      return;
    }
    this.timer = setTimeout(
      () => {
        this.timer = undefined;
        this.arrived();
      },
      Math.min(msLeft, longestTimerMs),
    );
  }

  private disarm(): void {
    clearImmediate(this.turn);
    clearTimeout(this.timer);
    this.turn = undefined;
    this.timer = undefined;
  }

  private msLeft({ sentAt }: Frame): number {
    return Math.ceil(sentAt + this.delayMs() - performance.now());
  }
}
