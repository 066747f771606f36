import { checkWaitingTime } from '../config/option-rule.js';
import { ConfigurationError } from '../errors/configuration.errors.js';
import type { AroundHook } from '../events/around-hook.js';
import type { IntegerReading } from '../wire/json.js';
import { defaultAccessPolicy, type RpcAccessPolicy } from './access-policy.js';
import type { ExceptionMapOptions, ResolvedExceptionMapOptions } from './exception-map.js';
import type { Serializer } from './serializer.js';

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
  /** Whether integers beyond ±(2^53−1) arrive exactly, as bigint, or as the nearest number. @defaultValue 'exact' */
  integers?: IntegerReading;
  /** Foreign code around each handler. @defaultValue [] */
  hooks?: readonly AroundHook[];
}

export type ResolvedRpcServerOptions = Required<Omit<RpcServerOptions, 'serializer'>> &
  ResolvedExceptionMapOptions &
  Pick<RpcServerOptions, 'serializer'>;

export function resolveRpcServerOptions(options: RpcServerOptions): ResolvedRpcServerOptions {
  const poolSize = options.executorThreadPoolSize ?? 64;
  if (!Number.isInteger(poolSize) || poolSize < 1) {
    throw new ConfigurationError('executorThreadPoolSize must be a whole number from 1', poolSize);
  }
  return {
    executorThreadPoolSize: poolSize,
    rpcPingEnabled: options.rpcPingEnabled ?? false,
    accessPolicy: options.accessPolicy ?? defaultAccessPolicy,
    serializer: options.serializer,
    shutdownTimeoutMs: checkWaitingTime('shutdownTimeoutMs', options.shutdownTimeoutMs ?? 30_000),
    integers: options.integers ?? 'exact',
    hooks: options.hooks ?? [],
    pythonExceptions: options.pythonExceptions ?? [],
    remoteExceptions: options.remoteExceptions ?? {},
    exceptionModule: options.exceptionModule ?? 'nestjs',
    sendTraceback: options.sendTraceback ?? true,
  };
}
