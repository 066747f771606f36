import { ConfigurationError } from '../errors/configuration.errors.js';
import type { AroundHook } from '../events/around-hook.js';
import type { IntegerReading } from '../wire/json.js';
import type { RemoteExceptionOptions } from './remote-exceptions.js';
import type { Serializer } from './serializer.js';

/**
 * Mirrors `oslo_messaging.TransportOptions`.
 *
 * @publicApi
 */
export interface TransportOptions {
  /** A request that no queue takes fails at once with `MessageUndeliverable`; `at_least_once`. Fanout is never checked. */
  atLeastOnce?: boolean;
}

/**
 * Options of `RpcClient`.
 *
 * @publicApi
 */
export interface RpcClientOptions extends RemoteExceptionOptions {
  /** Seconds that a call waits for its answer, connecting included. `rpc_response_timeout`. @defaultValue 60 */
  timeout?: number;
  /** Highest version that may be requested. `version_cap`. @defaultValue none */
  versionCap?: string | null;
  /** Tries after the first to hand a message to the broker; -1 or null: without limit. `retry`. @defaultValue -1 */
  retry?: number | null;
  /** Seconds without a heartbeat of the server after which a call is given up. `call_monitor_timeout`. @defaultValue none */
  callMonitorTimeout?: number | null;
  transportOptions?: TransportOptions | null;
  /** Converts contexts, arguments and results. @defaultValue none: plain JSON data */
  serializer?: Serializer<object>;
  /** Whether integers beyond ±(2^53−1) arrive exactly, as bigint, or as the nearest number. @defaultValue 'exact' */
  integers?: IntegerReading;
  /** Foreign code around each send. @defaultValue [] */
  hooks?: readonly AroundHook[];
  /** The context sent when a call names none. @defaultValue an empty one */
  defaultContext?: () => object;
  /** Errors show the line that called. @defaultValue true */
  callSite?: boolean;
}

export type ResolvedRpcClientOptions = Required<Omit<RpcClientOptions, 'allowedRemoteExmods' | 'serializer'>> &
  Pick<RpcClientOptions, 'allowedRemoteExmods' | 'serializer'>;

export function resolveRpcClientOptions(options: RpcClientOptions): ResolvedRpcClientOptions {
  return {
    timeout: checkSeconds('timeout', options.timeout ?? 60),
    versionCap: options.versionCap ?? null,
    retry: checkRetry(options.retry ?? -1),
    callMonitorTimeout: checkMonitor(options.callMonitorTimeout ?? null),
    transportOptions: options.transportOptions ?? {},
    serializer: options.serializer,
    integers: options.integers ?? 'exact',
    hooks: options.hooks ?? [],
    defaultContext: options.defaultContext ?? (() => ({})),
    callSite: options.callSite ?? true,
    allowedRemoteExmods: options.allowedRemoteExmods,
    remoteExceptions: options.remoteExceptions ?? {},
  };
}

export function checkSeconds(name: string, seconds: number): number {
  if (typeof seconds === 'number' && seconds >= 0) return seconds;
  throw new ConfigurationError(`${name} must be a number of seconds, 0 or more`, seconds);
}

export function checkMonitor(seconds: number | null): number | null {
  return seconds === null ? null : checkSeconds('callMonitorTimeout', seconds);
}

export function checkRetry(retry: number): number {
  if (Number.isInteger(retry) && retry >= -1) return retry;
  throw new ConfigurationError('retry must be a whole number from -1', retry);
}
