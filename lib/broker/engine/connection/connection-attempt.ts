import type { TransportHost } from '../../../config/transport-url.js';
import { BrokerRefusal, type Link, type LinkProvider } from '../../link.js';
import type { Hosts } from './hosts.js';

export interface OpenedLink {
  link: Link;
  host: TransportHost;
}

/** Why no connection came about, and with which host. */
export class AttemptFailed extends Error {
  constructor(
    readonly host: TransportHost,
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
  readonly host: TransportHost;
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
  private done!: { resolve: (opened: OpenedLink) => void; reject: (error: AttemptFailed) => void };

  constructor(
    private readonly links: LinkProvider,
    private readonly hosts: Hosts,
    private readonly connectionName: string,
  ) {}

  /**
   * Tries `host`, and perhaps others. Whoever awaits it has to attach to the link in the same turn.
   *
   * @throws AttemptFailed
   */
  open(host: TransportHost): Promise<OpenedLink> {
    return new Promise((resolve, reject) => {
      this.done = { resolve, reject };
      this.#first = this.try(host);
      if (this.links.mayFallSilent) this.tryAnotherIn(secondAfterMs);
    });
  }

  /** Ends it, and whatever has not opened. */
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

  private try(host: TransportHost): Try {
    const one: Try = { host, abort: new AbortController(), greeted: false };
    this.#running.add(one);
    const { connectionName } = this;
    this.links.open(host, { connectionName, signal: one.abort.signal, onGreeting: () => (one.greeted = true) }).then(
      (link) => this.opened(one, link),
      (error: unknown) => this.failed(one, error),
    );
    return one;
  }

  private opened(one: Try, link: Link): void {
    // Another one was opened sooner, or it was given up.
    if (!this.#running.delete(one)) return link.destroy(new Error('not needed'));
    this.stop();
    this.hosts.reached(one.host);
    this.done.resolve({ link, host: one.host });
  }

  private failed(one: Try, error: unknown): void {
    if (!this.#running.delete(one)) return;
    this.hosts.failed(one.host);
    const isRefused = error instanceof BrokerRefusal;
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
