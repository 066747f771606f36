import { describe, expect, it } from 'vitest';
import type { TransportHost } from '../../../lib/config/transport-url.js';
import { Hosts } from '../../../lib/broker/engine/connection/hosts.js';

const hosts = ['a', 'b', 'c'].map((hostname) => ({ hostname, port: 5672 }));

function order(rotation: Hosts, count: number): string {
  return Array.from({ length: count }, () => rotation.next().hostname).join('');
}

describe('Hosts', () => {
  it('goes round from a random start', () => {
    expect(order(new Hosts(hosts, 'round-robin', new Set(), () => 0), 7)).toBe('abcabca');
    expect(order(new Hosts(hosts, 'round-robin', new Set(), () => 0.4), 7)).toBe('bcabcab');
    expect(order(new Hosts(hosts, 'round-robin', new Set(), () => 0.99), 7)).toBe('cabcabc');
  });

  it('shuffled, still tries each host once a round', () => {
    const tried = order(new Hosts(hosts, 'shuffle'), 30);
    for (let round = 0; round < 30; round += 3) {
      expect([...tried.slice(round, round + 3)].sort().join('')).toBe('abc');
    }
  });

  it('leaves out those that could not be reached, until no other is left', () => {
    const rotation = new Hosts(hosts, 'round-robin', new Set(), () => 0);
    rotation.failed(hosts[0]!);
    expect(order(rotation, 4)).toBe('bcbc');
    rotation.failed(hosts[1]!);
    expect(order(rotation, 3)).toBe('ccc');
    rotation.reached(hosts[1]!);
    expect(order(rotation, 2)).toBe('bc');
    for (const host of hosts) rotation.failed(host);
    expect(order(rotation, 3)).toBe('abc');
  });

  it('knows what another rotation of the same hosts has learnt', () => {
    const unreachable = new Set<TransportHost>();
    new Hosts(hosts, 'shuffle', unreachable).failed(hosts[1]!);
    expect(order(new Hosts(hosts, 'round-robin', unreachable, () => 0), 4)).toBe('acac');
  });
});
