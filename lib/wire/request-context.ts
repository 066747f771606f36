import { MalformedMessage } from '../errors/wire.errors.js';
import { isRecord } from './json/is-record.js';

/**
 * Values that travel beside the arguments: user, project, token, request id …
 *
 * @publicApi
 */
export type RequestContext = Readonly<Record<string, unknown>>;

const CONTEXT_PREFIX = '_context_';
const NESTED_CONTEXT = '_context';

/** Adds one `_context_<key>` per item to a message. Mirrors Python's `pack_context`. */
export function packContext(context: RequestContext, message: Record<string, unknown>): void {
  refusePrototypeKey(context, 'context');
  for (const key of Object.keys(context)) message[CONTEXT_PREFIX + key] = context[key];
}

/** Collects the `_context_<key>` items of a received message; never throws, `__proto__` is left out. */
export function unpackContext(message: Readonly<Record<string, unknown>>): RequestContext {
  const context: Record<string, unknown> = {};
  for (const key of Object.keys(message)) {
    if (!key.startsWith(CONTEXT_PREFIX)) continue;
    const name = key.slice(CONTEXT_PREFIX.length);
    if (name !== '__proto__') context[name] = message[key];
  }
  return context;
}

/** Puts the context into a message whole, as Python's driver for Kafka does (its own `pack_message`). */
export function packNestedContext(context: RequestContext, message: Record<string, unknown>): void {
  refusePrototypeKey(context, 'context');
  message[NESTED_CONTEXT] = context;
}

/** The context that such a message has; never throws, `__proto__` is left out. */
export function unpackNestedContext(message: Readonly<Record<string, unknown>>): RequestContext {
  const { [NESTED_CONTEXT]: context } = message;
  if (!isRecord(context)) return {};
  return Object.fromEntries(Object.entries(context).filter(([name]) => name !== '__proto__'));
}

/** True when a received message has the context key that no honest peer sends. */
export function hasPrototypeContextKey(message: Readonly<Record<string, unknown>>): boolean {
  const { [NESTED_CONTEXT]: nested } = message;
  return (
    Object.hasOwn(message, `${CONTEXT_PREFIX}__proto__`) || (isRecord(nested) && Object.hasOwn(nested, '__proto__'))
  );
}

/**
 * A key `__proto__` changes an object's nature as soon as it is copied by assignment.
 *
 * @throws MalformedMessage
 */
export function refusePrototypeKey(items: Readonly<Record<string, unknown>>, what: string): void {
  if (!Object.hasOwn(items, '__proto__')) return;
  throw new MalformedMessage(`'__proto__' is not allowed as a key of the ${what}`, { fault: 'caller' });
}
