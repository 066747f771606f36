import { ANY_METHOD } from './nest.constants.js';
import type { ServedInterface } from './pattern-registry.js';

/** What a server exposes, a line per interface, for its log. */
export function servedTable(interfaces: readonly ServedInterface[], server: string): string {
  const rows = interfaces.map(rowOf);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [`Exposes as server '${server}':`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function rowOf({ exchange, topic, namespace, version, methods }: ServedInterface): string[] {
  const place = `${exchange}/${topic}`;
  if (methods.has(ANY_METHOD)) return [place, 'any namespace', 'any version', 'any other method'];
  return [place, namespace ?? '(no namespace)', version, [...methods.keys()].join(', ')];
}
