import { checkOption, checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import type { AroundHook } from '../../events/around-hook.js';
import type { IntegerReading } from '../../wire/json/json.js';
import { checkRemoteExceptions, type RemoteExceptionOptions } from '../exceptions/remote-exceptions.js';
import type { Serializer } from '../serializer.js';

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
  /** True when integers beyond ±(2^53−1) arrive exactly, as bigint, or as the nearest number. @defaultValue 'exact' */
  integers?: IntegerReading;
  /** Foreign code around each send. @defaultValue [] */
  hooks?: readonly AroundHook[];
  /** The context sent when a call names none. @defaultValue an empty one */
  defaultContext?: () => object;
  /** Errors show the line that called, of 100 calls a second: to note it costs up to a tenth of a call. @defaultValue true */
  callSite?: boolean;
}

export type ResolvedRpcClientOptions = Required<Omit<RpcClientOptions, 'allowedRemoteExmods' | 'serializer'>> &
  Pick<RpcClientOptions, 'allowedRemoteExmods' | 'serializer'>;

export const RPC_CLIENT_RULES: OptionRules<RpcClientOptions> = {
  timeout: OPTION_TABLE.timeout,
  versionCap: OPTION_TABLE.versionCap,
  retry: OPTION_TABLE.retry,
  callMonitorTimeout: OPTION_TABLE.callMonitorTimeout,
  transportOptions: OPTION_TABLE.transportOptions,
  serializer: OPTION_TABLE.serializer,
  integers: OPTION_TABLE.integers,
  hooks: OPTION_TABLE.hooks,
  defaultContext: OPTION_TABLE.defaultContext,
  callSite: OPTION_TABLE.callSite,
  allowedRemoteExmods: OPTION_TABLE.allowedRemoteExmods,
  remoteExceptions: OPTION_TABLE.remoteExceptions,
};

/** @throws ConfigurationError an option that there is none of, or a value that makes no sense */
export function resolveRpcClientOptions(options: RpcClientOptions): ResolvedRpcClientOptions {
  checkOptions('RpcClient', options, RPC_CLIENT_RULES);
  checkRemoteExceptions(options.remoteExceptions);
  checkOptions('transportOptions', options.transportOptions ?? {}, { atLeastOnce: OPTION_TABLE.atLeastOnce });
  return {
    timeout: options.timeout ?? 60,
    versionCap: options.versionCap ?? null,
    retry: options.retry ?? -1,
    callMonitorTimeout: options.callMonitorTimeout ?? null,
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
  checkOption(name, seconds, { type: 'seconds' });
  return seconds;
}

export function checkMonitor(seconds: number | null): number | null {
  return seconds === null ? null : checkSeconds('callMonitorTimeout', seconds);
}

export function checkRetry(retry: number): number {
  checkOption('retry', retry, OPTION_TABLE.retry);
  return retry;
}
