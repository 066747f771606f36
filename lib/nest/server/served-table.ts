import type { RpcAccessPolicy } from '../../rpc/server/access-policy.js';
import type { ServedEndpoint } from './served-endpoint.js';

/** What a server exposes, a line per interface, for its log; what its policy denies is marked. */
export function servedTable(endpoints: readonly ServedEndpoint[], server: string, policy: RpcAccessPolicy): string {
  const rows = endpoints.map((endpoint) => rowOf(endpoint, policy));
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [`Exposes as server '${server}':`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function rowOf(endpoint: ServedEndpoint, policy: RpcAccessPolicy): string[] {
  const { exchange, topic, namespace, version, methods, anyMethod } = endpoint;
  const place = `${exchange}/${topic}`;
  if (anyMethod) return [place, 'any namespace', 'any version', 'any other method'];
  const names = [...methods].map(([name, handler]) => (policy.isAllowed(name, handler) ? name : `${name} (denied)`));
  return [place, namespace ?? '(no namespace)', version, names.join(', ')];
}
