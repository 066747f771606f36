/** JSON for the Python peer: integers beyond 2^53 and floats that JSON has no word for are tagged. */
export function toPython(value: unknown): unknown {
  if (typeof value === 'bigint') return { $int: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $float: String(value).replace('Infinity', 'inf') };
  if (Array.isArray(value)) return value.map(toPython);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPython(item)]));
}

/** What the peer told: large integers as `bigint`, NaN and infinities as such. */
export function fromPython(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromPython);
  if (typeof value !== 'object' || value === null) return value;
  if ('$int' in value) return BigInt(String(value.$int));
  if ('$float' in value) return Number(String(value.$float).replace('inf', 'Infinity'));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromPython(item)]));
}
