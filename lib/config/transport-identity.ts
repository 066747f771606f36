import type { TransportUrl } from './transport-url.js';

/** Names the bus behind a URL: the same hosts, in any order, and virtual host. Whoever logs in does not matter. */
export function transportIdentity({ transport, hosts, virtualHost }: TransportUrl): string {
  if (transport === 'memory') return `memory://${hosts[0]?.hostname ?? ''}`;
  const addresses = hosts.map(({ hostname, port }) => `${hostname.toLowerCase()}:${port}`);
  return `${transport}://${[...new Set(addresses)].toSorted().join(',')}/${virtualHost}`;
}
