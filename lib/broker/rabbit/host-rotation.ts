import type { TransportHost } from '../../config/transport-url.js';

export type BrokerHost = TransportHost;

/** Which host is tried next; several clients of one URL do not all begin with the same one. */
export class HostRotation {
  private round: BrokerHost[] = [];
  private readonly start: number;

  constructor(
    private readonly hosts: readonly BrokerHost[],
    private readonly strategy: 'round-robin' | 'shuffle' = 'round-robin',
    private readonly random: () => number = Math.random,
  ) {
    this.start = Math.floor(random() * hosts.length);
  }

  next(): BrokerHost {
    const host = this.round.shift();
    if (host) return host;
    this.round = this.strategy === 'shuffle' ? this.shuffled() : this.rotated();
    const first = this.round.shift();
    if (!first) throw new RangeError('a transport URL has at least one host');
    return first;
  }

  private rotated(): BrokerHost[] {
    return [...this.hosts.slice(this.start), ...this.hosts.slice(0, this.start)];
  }

  private shuffled(): BrokerHost[] {
    const round = [...this.hosts];
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
