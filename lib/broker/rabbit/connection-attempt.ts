import type { ChannelModel } from 'amqplib';
import { socketOf } from './amqp-socket.js';
import { type ConnectionOpener, ConnectionRefused } from './connection-opener.js';
import type { BrokerHost, HostRotation } from './host-rotation.js';

export interface OpenedConnection {
  model: ChannelModel;
  host: BrokerHost;
}

/** Why no connection came about, and with which host. */
export class AttemptFailed extends Error {
  constructor(
    readonly host: BrokerHost,
    readonly reason: unknown,
  ) {
    super('no connection', { cause: reason });
  }
}

/** A broker that is there greets sooner: a host that is half gone accepts connections, and says nothing. */
const secondAfterMs = 1_000;
/** The next one comes twice as late each time, but not later. */
const longestGapMs = 5_000;

interface Try {
  readonly host: BrokerHost;
  readonly abort: AbortController;
  greeted: boolean;
}

/**
 * One attempt to connect. While nobody greets, another connection is tried beside the first one, and then another in its
 * stead: which opens first is taken. The first one goes on, as a broker may only be slow.
 */
export class ConnectionAttempt {
  // Not even `inspect` shows what holds passwords.
  readonly #running = new Set<Try>();
  #first: Try | undefined;
  #failure: AttemptFailed | undefined;
  private next: NodeJS.Timeout | undefined;
  private done!: { resolve: (opened: OpenedConnection) => void; reject: (error: AttemptFailed) => void };

  constructor(
    private readonly opener: ConnectionOpener,
    private readonly hosts: HostRotation,
  ) {}

  /**
   * Tries `host`, and perhaps others. Whoever awaits it has to listen to the connection in the same turn.
   *
   * @throws AttemptFailed
   */
  open(host: BrokerHost): Promise<OpenedConnection> {
    return new Promise((resolve, reject) => {
      this.done = { resolve, reject };
      this.#first = this.try(host);
      this.tryAnotherIn(secondAfterMs);
    });
  }

  /** Ends it, and the sockets of whatever has not opened. */
  abort(): void {
    const first = this.#first;
    this.stop();
    if (first) this.done.reject(new AttemptFailed(first.host, new Error('given up')));
  }

  private stop(): void {
    clearTimeout(this.next);
    for (const one of this.#running) this.giveUp(one);
  }

  private tryAnotherIn(gapMs: number): void {
    this.next = setTimeout(() => {
      this.tryAnotherIn(Math.min(longestGapMs, gapMs * 2));
      if ([...this.#running].some(({ greeted }) => greeted)) return;
      for (const one of this.#running) if (one !== this.#first) this.giveUp(one);
      this.try(this.hosts.next());
    }, gapMs);
  }

  private try(host: BrokerHost): Try {
    const one: Try = { host, abort: new AbortController(), greeted: false };
    this.#running.add(one);
    this.opener
      .open(host, one.abort, () => (one.greeted = true))
      .then(
        (model) => this.opened(one, model),
        (error: unknown) => this.failed(one, error),
      );
    return one;
  }

  private opened(one: Try, model: ChannelModel): void {
    if (!this.#running.delete(one)) return discard(model);
    this.stop();
    this.hosts.reached(one.host);
    this.done.resolve({ model, host: one.host });
  }

  private failed(one: Try, error: unknown): void {
    if (!this.#running.delete(one)) return;
    this.hosts.failed(one.host);
    const isRefused = error instanceof ConnectionRefused;
    if (isRefused || one === this.#first) this.#failure = new AttemptFailed(one.host, error);
    // Those beside it have their time, but no successor.
    if (one === this.#first) clearTimeout(this.next);
    if (this.#running.size > 0 && !isRefused) return;
    this.stop();
    this.done.reject(this.#failure ?? new AttemptFailed(one.host, error));
  }

  private giveUp(one: Try): void {
    this.#running.delete(one);
    this.hosts.failed(one.host);
    one.abort.abort(new Error('given up'));
  }
}

/** Another one was opened sooner. */
function discard(model: ChannelModel): void {
  model.on('error', () => undefined);
  socketOf(model).destroy();
}
