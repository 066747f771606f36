import { InvalidTarget } from '../../errors/configuration.errors.js';
import type { PrepareOptions } from '../../rpc/client/call-settings.js';

/**
 * The method that a handler serves, or that a client asks for. A string that is an identifier is short for
 * `{ method }`: that method, in the null namespace.
 *
 * @publicApi
 */
export interface OsloRpcPattern {
  /** The name on the wire; handlers may name `ANY_METHOD`. */
  method: string;
  /** The interface; absent and `null` are the one without a name. */
  namespace?: string | null;
  /** Of the interface: what it implements, or what the caller needs. @defaultValue for handlers '1.0' */
  version?: string;
  /** @defaultValue the server's or client's */
  topic?: string;
  /** @defaultValue the server's or client's */
  exchange?: string;
  /** For clients: this server of the topic. */
  server?: string;
  /** For clients: every server of the topic; with `emit()` only. */
  fanout?: boolean;
  /** For clients: seconds to wait for the answer. */
  timeout?: number;
  /** For clients: seconds without a heartbeat of the server after which the call is given up. */
  callMonitorTimeout?: number;
  /** For clients: tries after the first to hand the message to the broker; -1: without limit. */
  retry?: number;
  /** For clients: fail at once where no server's queue is. */
  atLeastOnce?: boolean;
  /** The method answers with several values: a handler sends each, and `send()` gives each. @defaultValue false */
  multicall?: boolean;
}

const IDENTIFIER = /^[A-Za-z_]\w*$/;

/** The pattern as an object; `undefined` where it belongs to another transport. */
export function readPattern(pattern: unknown): OsloRpcPattern | undefined {
  if (typeof pattern === 'string') return IDENTIFIER.test(pattern) ? { method: pattern } : undefined;
  if (typeof pattern !== 'object' || pattern === null) return undefined;
  const { method } = pattern as { method?: unknown };
  return typeof method === 'string' && method !== '' ? (pattern as OsloRpcPattern) : undefined;
}

/** @throws InvalidTarget for what names no method */
export function requirePattern(pattern: unknown): OsloRpcPattern {
  const read = readPattern(pattern);
  if (read) return read;
  const shown = typeof pattern === 'string' ? `'${pattern}'` : 'the pattern';
  throw new InvalidTarget(`${shown} names no method: it must be an identifier or an object with a 'method'`);
}

type Setting = Exclude<keyof OsloRpcPattern, 'method' | 'multicall'>;

/** All of them, as the compiler sees to. */
const IS_SETTING: Readonly<Record<Setting, true>> = {
  atLeastOnce: true,
  callMonitorTimeout: true,
  exchange: true,
  fanout: true,
  namespace: true,
  retry: true,
  server: true,
  timeout: true,
  topic: true,
  version: true,
};
const SETTINGS = Object.keys(IS_SETTING) as Setting[];

/** The settings that a pattern of a client changes; `undefined` for nothing. */
export function changesOf(pattern: OsloRpcPattern): PrepareOptions | undefined {
  if (SETTINGS.every((name) => pattern[name] === undefined)) return undefined;
  const { atLeastOnce, callMonitorTimeout, exchange, fanout, namespace, retry, server, timeout, topic, version } =
    pattern;
  const transportOptions = atLeastOnce === undefined ? undefined : { atLeastOnce };
  return {
    callMonitorTimeout,
    exchange,
    fanout,
    namespace,
    retry,
    server,
    timeout,
    topic,
    transportOptions,
    version,
  };
}
