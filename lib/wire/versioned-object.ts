import { MalformedMessage } from '../errors/wire.errors.js';
import { isRecord } from './json/is-record.js';

const NAME_KEY = /^(\w+_object)\.name$/;

/**
 * The head of an object: all but its data.
 *
 * @publicApi
 */
export interface VersionedObjectHead {
  /** The prefix of the keys: `nova_object`, `ironic_object`, `versioned_object`, … */
  prefix: string;
  name: string;
  namespace: string;
  version: string;
  /** The fields that differ from what was stored, where the sender tells them. */
  changes?: readonly string[];
}

/**
 * An object of oslo.versionedobjects, as OpenStack's versioned notifications carry them:
 * `{"nova_object.name": …, "nova_object.namespace": …, "nova_object.version": …, "nova_object.data": {…}}`.
 *
 * Written as JSON it becomes that again, so it may be the payload of a notification, or a part of one.
 *
 * @example
 * ```ts
 * const instance = VersionedObject.read<{ uuid: string; flavor: VersionedObject }>(payload);
 * if (instance.name === 'InstanceCreatePayload') console.log(instance.version, instance.data.uuid);
 * const { uuid, flavor } = plainVersioned<{ uuid: string; flavor: { name: string } }>(payload);
 * ```
 *
 * @publicApi
 */
export class VersionedObject<Data = Record<string, unknown>> implements VersionedObjectHead {
  readonly prefix: string;
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  readonly changes?: readonly string[];

  constructor(
    head: VersionedObjectHead,
    readonly data: Data,
  ) {
    this.prefix = head.prefix;
    this.name = head.name;
    this.namespace = head.namespace;
    this.version = head.version;
    if (head.changes !== undefined) this.changes = head.changes;
  }

  /**
   * A received payload that is such an object, with the ones inside it as `VersionedObject`s too.
   *
   * @throws MalformedMessage it is none
   */
  static read<Data = Record<string, unknown>>(payload: unknown): VersionedObject<Data> {
    const read = unwrapVersioned(payload);
    if (read instanceof VersionedObject) return read as VersionedObject<Data>;
    throw new MalformedMessage('the payload is no versioned object');
  }

  /** The form on the wire; what is inside is written by its own `toJSON`. */
  toJSON(): Record<string, unknown> {
    const { prefix, name, namespace, version, changes, data } = this;
    return {
      [`${prefix}.name`]: name,
      [`${prefix}.namespace`]: namespace,
      [`${prefix}.version`]: version,
      [`${prefix}.data`]: data,
      ...(changes !== undefined && { [`${prefix}.changes`]: changes }),
    };
  }
}

/**
 * A received value, unwrapped or not, with a `VersionedObject` wherever one is, at any depth.
 *
 * @publicApi
 */
export function unwrapVersioned(value: unknown): unknown {
  return rewrite(value, (object) => {
    const data = {};
    if (object instanceof VersionedObject) {
      return { made: new VersionedObject(object, data), from: object.data as object, into: data };
    }
    const head = headOf(object);
    if (!head) return undefined;
    return { made: new VersionedObject(head, data), from: dataOf(object, head.prefix), into: data };
  });
}

/**
 * A received value, unwrapped or not, with nothing but the data of versioned objects left of them, at any depth.
 *
 * @publicApi
 */
export function plainVersioned<Data = unknown>(value: unknown): Data {
  return rewrite(value, (object) => {
    const data = {};
    if (object instanceof VersionedObject) return { made: data, from: object.data as object, into: data };
    const head = headOf(object);
    return head && { made: data, from: dataOf(object, head.prefix), into: data };
  }) as Data;
}

/** Undefined: an ordinary object. One with keys beside those of a versioned object is one, so that nothing is lost. */
function headOf(object: object): VersionedObjectHead | undefined {
  const fields = object as Record<string, unknown>;
  const keys = Object.keys(object);
  if (keys.length < 4 || keys.length > 5) return undefined;
  const prefix = keys.map((key) => NAME_KEY.exec(key)?.[1]).find((found) => found !== undefined);
  if (prefix === undefined) return undefined;
  const [name, namespace, version, changes] = ['name', 'namespace', 'version', 'changes'].map(
    (key) => fields[`${prefix}.${key}`],
  );
  if (typeof name !== 'string' || typeof namespace !== 'string' || typeof version !== 'string') return undefined;
  if (!isRecord(fields[`${prefix}.data`]) || (keys.length === 5) !== Array.isArray(changes)) return undefined;
  return { prefix, name, namespace, version, ...(Array.isArray(changes) && { changes: changes as string[] }) };
}

function dataOf(object: object, prefix: string): object {
  return (object as Record<string, object>)[`${prefix}.data`]!;
}

/** An object or array replaced by another, which is filled with what becomes of the entries of `from`. */
interface Replacement {
  made: unknown;
  from: object;
  into: object;
}

/** A copy with objects replaced, keys in their order; no recursion, so that nesting costs memory instead of the stack. */
function rewrite(value: unknown, replace: (object: object) => Replacement | undefined): unknown {
  const unfilled: Replacement[] = [];
  const copy = (item: unknown): unknown => {
    if (typeof item !== 'object' || item === null) return item;
    const into = Array.isArray(item) ? [] : {};
    const replacement = (Array.isArray(item) ? undefined : replace(item)) ?? { made: into, from: item, into };
    unfilled.push(replacement);
    return replacement.made;
  };
  const whole = copy(value);
  for (let next = unfilled.pop(); next; next = unfilled.pop()) {
    for (const [key, item] of Object.entries(next.from)) put(next.into, key, copy(item));
  }
  return whole;
}

function put(into: object, key: string, value: unknown): void {
  Object.defineProperty(into, key, { value, writable: true, enumerable: true, configurable: true });
}
