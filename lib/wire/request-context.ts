import { MalformedMessage } from '../errors/wire.errors.js';
import { isRecord } from './json/is-record.js';

/** As Python sends it: `None` for what nobody has set. */
type Text = string | null;

/**
 * Values that travel beside the arguments: user, project, token, request id …
 *
 * The fields are those of oslo.context (`RequestContext.to_dict`) and of the contexts that services make of it. All may be
 * missing, a service may add its own, and nobody checks what a peer has sent. Fields that all your services have are declared
 * once: `declare module 'nestjs-oslo-messaging' { interface RequestContext { readonly tenant_tier?: string } }`.
 *
 * @publicApi
 */
export interface RequestContext {
  /** Of this request: `req-<uuid>`. Logs of all services have it. */
  readonly request_id?: Text;
  /** Of the request that has led to this one, in another service. */
  readonly global_request_id?: Text;
  /** The same as `user_id`: the key that oslo.context sends. */
  readonly user?: Text;
  readonly user_id?: Text;
  readonly user_name?: Text;
  readonly project_id?: Text;
  /** The same as `project_id`. */
  readonly project?: Text;
  readonly project_name?: Text;
  /** The domain that the token is for, where it is for no project: its id, as the other domains below. */
  readonly domain?: Text;
  readonly domain_id?: Text;
  readonly domain_name?: Text;
  readonly user_domain?: Text;
  readonly user_domain_id?: Text;
  readonly user_domain_name?: Text;
  readonly project_domain?: Text;
  readonly project_domain_id?: Text;
  readonly project_domain_name?: Text;
  /** `'all'` where the token is for the whole cloud. */
  readonly system_scope?: Text;
  readonly roles?: readonly string[];
  readonly is_admin?: boolean | null;
  /** True when the project is the one of administrators. */
  readonly is_admin_project?: boolean | null;
  readonly read_only?: boolean | null;
  readonly show_deleted?: boolean | null;
  /** A secret: never logged by this library, and left out of notifications. */
  readonly auth_token?: Text;
  readonly resource_uuid?: Text;
  /** User, project and domains in one line, as logs show them. */
  readonly user_identity?: Text;
  /** Nova's and others': the endpoints that the token's user may use. */
  readonly service_catalog?: readonly unknown[] | null;
  /** Nova's and others': when the request came in. */
  readonly timestamp?: Text;
  /** Nova's and others': the address of the user. */
  readonly remote_address?: Text;
  /** Whatever else a service sends. */
  readonly [key: string]: unknown;
}

/** A context holds whatever its sender put there. */
export function requestIdOf({ request_id: requestId }: RequestContext): string | undefined {
  return typeof requestId === 'string' ? requestId : undefined;
}

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
