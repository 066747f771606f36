import { describe, expect, it } from 'vitest';
import { HostRotation, hostLabel } from '../../../lib/broker/rabbit/host-rotation.js';

const hosts = ['a', 'b', 'c'].map((hostname) => ({ hostname, port: 5672 }));

function order(rotation: HostRotation, count: number): string {
  return Array.from({ length: count }, () => rotation.next().hostname).join('');
}

describe('HostRotation', () => {
  it('goes round from a random start', () => {
    expect(order(new HostRotation(hosts, 'round-robin', () => 0), 7)).toBe('abcabca');
    expect(order(new HostRotation(hosts, 'round-robin', () => 0.4), 7)).toBe('bcabcab');
    expect(order(new HostRotation(hosts, 'round-robin', () => 0.99), 7)).toBe('cabcabc');
  });

  it('shuffled, still tries each host once a round', () => {
    const tried = order(new HostRotation(hosts, 'shuffle'), 30);
    for (let round = 0; round < 30; round += 3) {
      expect([...tried.slice(round, round + 3)].sort().join('')).toBe('abc');
    }
  });

  it('names a host without its credentials', () => {
    expect(hostLabel({ hostname: 'mq1', port: 5672, username: 'u', password: 'secret' })).toBe('mq1:5672');
    expect(hostLabel({ hostname: '::1', port: 5673 })).toBe('[::1]:5673');
  });
});
