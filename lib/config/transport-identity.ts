import type { TransportUrl } from './transport-url.js';

/** Names the bus behind a URL: the same hosts, in any order, and virtual host. Whoever logs in does not matter. */
export function transportIdentity({ transport, hosts, virtualHost }: TransportUrl): string {
  if (transport === 'memory') return `memory://${hosts[0]?.hostname ?? ''}`;
  const addresses = hosts.map(({ hostname, port }) => `${hostname.toLowerCase()}:${port}`);
  return `${transport}://${[...new Set(addresses)].toSorted().join(',')}/${virtualHost}`;
}

/** Whether two URLs lead to one bus, as far as URLs can tell: one host in common, and the virtual host. */
export function isSameBus(one: TransportUrl, other: TransportUrl): boolean {
  if (one.transport !== other.transport || one.virtualHost !== other.virtualHost) return false;
  const addresses = new Set(one.hosts.map(addressOf));
  return other.hosts.some((host) => addresses.has(addressOf(host)));
}

function addressOf({ hostname, port }: TransportUrl['hosts'][number]): string {
  const name = hostname.toLowerCase();
  return `${LOOPBACK.has(name) ? '127.0.0.1' : name}:${port}`;
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '::1', '[::1]']);
