import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import type { AroundHook } from '../../events/around-hook.js';
import type { IntegerReading } from '../../wire/json/json.js';
import { defaultAccessPolicy, type RpcAccessPolicy } from './access-policy.js';
import {
  checkPythonExceptions,
  type ExceptionMapOptions,
  type ResolvedExceptionMapOptions,
} from '../exceptions/exception-map.js';
import { checkRemoteExceptions } from '../exceptions/remote-exceptions.js';
import type { Serializer } from '../serializer.js';

/**
 * Options of `RpcServer`.
 *
 * @publicApi
 */
export interface RpcServerOptions extends ExceptionMapOptions {
  /** Handlers that run at a time; requests beyond wait in their queues. `executor_thread_pool_size`. @defaultValue 64 */
  executorThreadPoolSize?: number;
  /** Answers `oslo_rpc_server_ping` with `'pong'`. `rpc_ping_enabled`. @defaultValue false */
  rpcPingEnabled?: boolean;
  /** Which methods may be called. @defaultValue defaultAccessPolicy */
  accessPolicy?: RpcAccessPolicy;
  /** Converts contexts, arguments and results. @defaultValue none: plain JSON data */
  serializer?: Serializer<object>;
  /** Longest time that a stop waits for running handlers. @defaultValue 30000 */
  shutdownTimeoutMs?: number;
  /** True when integers beyond ±(2^53−1) arrive exactly, as bigint, or as the nearest number. @defaultValue 'exact' */
  integers?: IntegerReading;
  /** Foreign code around each handler. @defaultValue [] */
  hooks?: readonly AroundHook[];
  /**
   * Each answer is two messages: the answer, then that it was the last (null is the last alone). Callers before oslo.messaging
   * 1.12 read no other answers; those of any age read these. @defaultValue false
   */
  legacyTwoMessageReplies?: boolean;
}

export type ResolvedRpcServerOptions = Required<Omit<RpcServerOptions, 'serializer'>> &
  ResolvedExceptionMapOptions &
  Pick<RpcServerOptions, 'serializer'>;

export const RPC_SERVER_RULES: OptionRules<RpcServerOptions> = {
  executorThreadPoolSize: OPTION_TABLE.executorThreadPoolSize,
  rpcPingEnabled: OPTION_TABLE.rpcPingEnabled,
  accessPolicy: OPTION_TABLE.accessPolicy,
  serializer: OPTION_TABLE.serializer,
  shutdownTimeoutMs: OPTION_TABLE.shutdownTimeoutMs,
  integers: OPTION_TABLE.integers,
  hooks: OPTION_TABLE.hooks,
  pythonExceptions: OPTION_TABLE.pythonExceptions,
  remoteExceptions: OPTION_TABLE.remoteExceptions,
  exceptionModule: OPTION_TABLE.exceptionModule,
  sendTraceback: OPTION_TABLE.sendTraceback,
  legacyTwoMessageReplies: OPTION_TABLE.legacyTwoMessageReplies,
};

/** @throws ConfigurationError an option that there is none of, or a value that makes no sense */
export function resolveRpcServerOptions(options: RpcServerOptions): ResolvedRpcServerOptions {
  checkOptions('RpcServer', options, RPC_SERVER_RULES);
  checkRemoteExceptions(options.remoteExceptions);
  checkPythonExceptions(options.pythonExceptions);
  return {
    executorThreadPoolSize: options.executorThreadPoolSize ?? 64,
    rpcPingEnabled: options.rpcPingEnabled ?? false,
    accessPolicy: options.accessPolicy ?? defaultAccessPolicy,
    serializer: options.serializer,
    shutdownTimeoutMs: options.shutdownTimeoutMs ?? 30_000,
    integers: options.integers ?? 'exact',
    hooks: options.hooks ?? [],
    pythonExceptions: options.pythonExceptions ?? [],
    remoteExceptions: options.remoteExceptions ?? {},
    exceptionModule: options.exceptionModule ?? 'nestjs',
    sendTraceback: options.sendTraceback ?? true,
    legacyTwoMessageReplies: options.legacyTwoMessageReplies ?? false,
  };
}
