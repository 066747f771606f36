import { MalformedMessage } from '../../errors/wire.errors.js';
import { sealEnvelope } from '../envelope.js';
import { isRecord } from '../json/is-record.js';
import { stringifyJson } from '../json/json.js';
import {
  hasPrototypeContextKey,
  packContext,
  refusePrototypeKey,
  unpackContext,
  type RequestContext,
} from '../request-context.js';

/** A request as a client sends it: a call with `msgId` and `replyQueue`, a cast without. */
export interface RpcRequest {
  method: string;
  args: Readonly<Record<string, unknown>>;
  namespace?: string | null;
  version?: string | null;
  msgId?: string;
  replyQueue?: string;
  /** Seconds after which the caller gives up when it hears no heartbeat. */
  callMonitorTimeout?: number | null;
  uniqueId: string;
  context: RequestContext;
}

/** A request as a server received it, with Python's defaults for what is absent. */
export interface ReceivedRequest {
  method: string;
  args: Readonly<Record<string, unknown>>;
  namespace: string | null;
  version: string;
  msgId?: string;
  replyQueue?: string;
  callMonitorTimeout?: number;
  uniqueId?: string;
  context: RequestContext;
  /** Why it cannot be dispatched; the caller can be told, as far as `msgId` and `replyQueue` are there. */
  problem?: MalformedMessage;
}

/**
 * The body of a request, in the envelope unless it is to be bare.
 *
 * @throws MalformedMessage what cannot be written as JSON, or a key `__proto__`
 */
export function encodeRequest(request: RpcRequest, bare?: boolean): string {
  refusePrototypeKey(request.args, 'arguments');
  const message: Record<string, unknown> = { method: request.method, args: request.args };
  if (request.namespace !== null && request.namespace !== undefined) message.namespace = request.namespace;
  if (request.version !== null && request.version !== undefined) message.version = request.version;
  if (request.msgId !== undefined) {
    message._msg_id = request.msgId;
    message._reply_q = request.replyQueue;
    message._timeout = request.callMonitorTimeout ?? null;
  }
  message._unique_id = request.uniqueId;
  packContext(request.context, message);
  return sealEnvelope(stringifyJson(message), bare);
}

/** Understands an opened request. Never throws: what is wrong with it is its `problem`. */
export function decodeRequest(message: Readonly<Record<string, unknown>>): ReceivedRequest {
  const { method, args, namespace, version, _timeout: timeout } = message;
  const request: ReceivedRequest = {
    method: typeof method === 'string' ? method : '',
    args: isRecord(args) ? args : {},
    namespace: typeof namespace === 'string' ? namespace : null,
    version: typeof version === 'string' ? version : '1.0',
    context: unpackContext(message),
  };
  if (typeof message._msg_id === 'string') request.msgId = message._msg_id;
  if (typeof message._reply_q === 'string') request.replyQueue = message._reply_q;
  if (typeof message._unique_id === 'string') request.uniqueId = message._unique_id;
  if (typeof timeout === 'number' && Number.isFinite(timeout)) request.callMonitorTimeout = timeout;
  const problem = problemOf(message);
  if (problem !== undefined) request.problem = new MalformedMessage(problem);
  return request;
}

function problemOf(message: Readonly<Record<string, unknown>>): string | undefined {
  const { method, args, namespace, version } = message;
  if (typeof method !== 'string') return "the request's method is not a string";
  if (args !== undefined && !isRecord(args)) return "the request's args are not an object";
  if (namespace !== undefined && namespace !== null && typeof namespace !== 'string') {
    return "the request's namespace is not a string";
  }
  if (version !== undefined && typeof version !== 'string') return "the request's version is not a string";
  if (isRecord(args) && Object.hasOwn(args, '__proto__')) return "'__proto__' is not allowed as an argument";
  if (hasPrototypeContextKey(message)) return "'__proto__' is not allowed as a key of the context";
  return undefined;
}
