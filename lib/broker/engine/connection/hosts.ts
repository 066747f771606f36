import type { TransportHost } from '../../../config/transport-url.js';

/**
 * Which host is tried next; several clients of one URL do not all begin with the same one. Those that could not be
 * reached are tried again when no other is left.
 */
export class Hosts {
  // Not even `inspect` shows what holds passwords.
  #round: TransportHost[] = [];
  readonly #hosts: readonly TransportHost[];
  readonly #unreachable: Set<TransportHost>;
  private readonly start: number;

  constructor(
    hosts: readonly TransportHost[],
    private readonly strategy: 'round-robin' | 'shuffle' = 'round-robin',
    /** Shared by rotations of the same hosts: what one has learnt the other need not. */
    unreachable: Set<TransportHost> = new Set(),
    private readonly random: () => number = Math.random,
  ) {
    this.#hosts = hosts;
    this.#unreachable = unreachable;
    this.start = Math.floor(random() * hosts.length);
  }

  next(): TransportHost {
    if (this.#hosts.every((host) => this.#unreachable.has(host))) this.#unreachable.clear();
    const host = this.nextOfRound() ?? this.nextOfRound();
    if (!host) throw new RangeError('a transport URL has at least one host');
    return host;
  }

  /** True when some host is left that may be reachable. */
  get hasOthers(): boolean {
    return this.#hosts.some((host) => !this.#unreachable.has(host));
  }

  failed(host: TransportHost): void {
    this.#unreachable.add(host);
  }

  reached(host: TransportHost): void {
    this.#unreachable.delete(host);
  }

  private nextOfRound(): TransportHost | undefined {
    if (this.#round.length === 0) this.#round = this.strategy === 'shuffle' ? this.shuffled() : this.rotated();
    for (let host = this.#round.shift(); host; host = this.#round.shift()) {
      if (!this.#unreachable.has(host)) return host;
    }
    return undefined;
  }

  private rotated(): TransportHost[] {
    return [...this.#hosts.slice(this.start), ...this.#hosts.slice(0, this.start)];
  }

  private shuffled(): TransportHost[] {
    const round = [...this.#hosts];
    for (let last = round.length - 1; last > 0; last--) {
      const other = Math.floor(this.random() * (last + 1));
      [round[last], round[other]] = [round[other]!, round[last]!];
    }
    return round;
  }
}
