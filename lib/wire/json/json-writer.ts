import { MalformedMessage } from '../../errors/wire.errors.js';

/**
 * Writes what `JSON.stringify` refuses: values that hold a `bigint`, as plain digits.
 *
 * In everything else by the rules of `JSON.stringify`. Slower than it, so only used where it threw.
 */
export class JsonWriter {
  /** The objects being written; meeting one again means a circle. */
  private readonly ancestors = new Set<object>();

  write(value: unknown): string {
    return this.text(value, '') ?? 'null';
  }

  /** Undefined for what JSON leaves out. */
  private text(given: unknown, key: string): string | undefined {
    const value = unboxed(replacedByToJson(given, key));
    if (typeof value === 'bigint') return value.toString();
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    if (this.ancestors.has(value))
      throw new MalformedMessage(`the value is circular at key '${key}'`, { fault: 'caller' });
    this.ancestors.add(value);
    const text = Array.isArray(value) ? this.arrayText(value) : this.objectText(value as Record<string, unknown>);
    this.ancestors.delete(value);
    return text;
  }

  private arrayText(array: readonly unknown[]): string {
    const items: string[] = [];
    for (let index = 0; index < array.length; index++) {
      items.push(this.text(array[index], String(index)) ?? 'null');
    }
    return `[${items.join(',')}]`;
  }

  private objectText(object: Record<string, unknown>): string {
    const members: string[] = [];
    for (const key of Object.keys(object)) {
      const text = this.text(object[key], key);
      if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
    }
    return `{${members.join(',')}}`;
  }
}

function replacedByToJson(value: unknown, key: string): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'bigint') return value;
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === 'function' ? (toJSON.call(value, key) as unknown) : value;
}

function unboxed(value: unknown): unknown {
  const isBoxed =
    value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt;
  return isBoxed ? value.valueOf() : value;
}
