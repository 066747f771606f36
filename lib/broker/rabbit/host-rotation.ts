import type { TransportHost } from '../../config/transport-url.js';

export type BrokerHost = TransportHost;

/**
 * Which host is tried next; several clients of one URL do not all begin with the same one. Those that could not be
 * reached are tried again when no other is left.
 */
export class HostRotation {
  // Not even `inspect` shows what holds passwords.
  #round: BrokerHost[] = [];
  readonly #hosts: readonly BrokerHost[];
  readonly #unreachable: Set<BrokerHost>;
  private readonly start: number;

  constructor(
    hosts: readonly BrokerHost[],
    private readonly strategy: 'round-robin' | 'shuffle' = 'round-robin',
    /** Shared by rotations of the same hosts: what one has learnt the other need not. */
    unreachable: Set<BrokerHost> = new Set(),
    private readonly random: () => number = Math.random,
  ) {
    this.#hosts = hosts;
    this.#unreachable = unreachable;
    this.start = Math.floor(random() * hosts.length);
  }

  next(): BrokerHost {
    if (this.#hosts.every((host) => this.#unreachable.has(host))) this.#unreachable.clear();
    const host = this.nextOfRound() ?? this.nextOfRound();
    if (!host) throw new RangeError('a transport URL has at least one host');
    return host;
  }

  /** Whether some host is left that may be reachable. */
  get hasOthers(): boolean {
    return this.#hosts.some((host) => !this.#unreachable.has(host));
  }

  failed(host: BrokerHost): void {
    this.#unreachable.add(host);
  }

  reached(host: BrokerHost): void {
    this.#unreachable.delete(host);
  }

  private nextOfRound(): BrokerHost | undefined {
    if (this.#round.length === 0) this.#round = this.strategy === 'shuffle' ? this.shuffled() : this.rotated();
    for (let host = this.#round.shift(); host; host = this.#round.shift()) {
      if (!this.#unreachable.has(host)) return host;
    }
    return undefined;
  }

  private rotated(): BrokerHost[] {
    return [...this.#hosts.slice(this.start), ...this.#hosts.slice(0, this.start)];
  }

  private shuffled(): BrokerHost[] {
    const round = [...this.#hosts];
    for (let last = round.length - 1; last > 0; last--) {
      const other = Math.floor(this.random() * (last + 1));
      [round[last], round[other]] = [round[other]!, round[last]!];
    }
    return round;
  }
}

/** For people: without credentials. */
export function hostLabel({ hostname, port }: BrokerHost): string {
  return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
