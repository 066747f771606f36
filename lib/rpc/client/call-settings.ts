import { checkOptions, type OptionRule, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { InvalidTarget } from '../../errors/configuration.errors.js';
import { RpcVersionCapError } from '../../errors/rpc.errors.js';
import { checkApiVersion, isVersionCompatible } from '../../wire/rpc/api-version.js';
import type { Target } from '../../wire/target.js';
import type { ResolvedRpcClientOptions, TransportOptions } from './rpc-client-options.js';

/**
 * Settings that `prepare` changes for the calls made through its result. An omitted field is inherited, an explicit
 * `null` resets it to the default, as in Python.
 *
 * @publicApi
 */
export interface PrepareOptions {
  exchange?: string | null;
  topic?: string | null;
  namespace?: string | null;
  version?: string | null;
  server?: string | null;
  fanout?: boolean | null;
  /** Seconds. */
  timeout?: number | null;
  versionCap?: string | null;
  retry?: number | null;
  /** Seconds. */
  callMonitorTimeout?: number | null;
  transportOptions?: TransportOptions | null;
}

/** A client's target and options with every field decided. */
export interface CallSettings {
  readonly exchange: string;
  readonly topic: string | null;
  readonly namespace: string | null;
  readonly version: string | null;
  readonly server: string | null;
  readonly fanout: boolean;
  readonly timeout: number;
  readonly versionCap: string | null;
  readonly retry: number;
  readonly callMonitorTimeout: number | null;
  readonly atLeastOnce: boolean;
}

/** `control_exchange`'s default. */
export const DEFAULT_EXCHANGE = 'openstack';

const TARGET_RULES: OptionRules<Target> = {
  exchange: OPTION_TABLE.exchange,
  // A name that AMQP cannot write is an `InvalidTarget`.
  topic: { type: 'checked' },
  namespace: OPTION_TABLE.namespace,
  version: { type: 'checked' },
  server: { type: 'checked' },
  fanout: OPTION_TABLE.fanout,
};

const PREPARE_RULES: OptionRules<PrepareOptions> = {
  exchange: nullable(OPTION_TABLE.exchange),
  topic: { type: 'checked' },
  namespace: OPTION_TABLE.namespace,
  version: { type: 'checked' },
  server: { type: 'checked' },
  fanout: nullable(OPTION_TABLE.fanout),
  timeout: OPTION_TABLE.timeout,
  versionCap: OPTION_TABLE.versionCap,
  retry: OPTION_TABLE.retry,
  callMonitorTimeout: OPTION_TABLE.callMonitorTimeout,
  transportOptions: OPTION_TABLE.transportOptions,
};

function nullable(rule: OptionRule): OptionRule {
  return { ...rule, nullable: true };
}

/** @throws ConfigurationError a field that a target does not have, or a value that makes no sense */
export function checkTarget(target: Target): void {
  checkOptions('A target', target, TARGET_RULES);
}

export function initialSettings(target: Target, options: ResolvedRpcClientOptions): CallSettings {
  checkTarget(target);
  if (target.version) checkApiVersion(target.version);
  return {
    exchange: target.exchange ?? DEFAULT_EXCHANGE,
    topic: target.topic ?? null,
    namespace: target.namespace ?? null,
    version: target.version ?? null,
    server: target.server ?? null,
    fanout: target.fanout ?? false,
    timeout: options.timeout,
    versionCap: options.versionCap,
    retry: options.retry ?? -1,
    callMonitorTimeout: options.callMonitorTimeout,
    atLeastOnce: options.transportOptions?.atLeastOnce ?? false,
  };
}

/** `defaultTimeout` is what an explicit null of `timeout` resets to. */
export function changeSettings(base: CallSettings, changes: PrepareOptions, defaultTimeout: number): CallSettings {
  checkOptions('prepare', changes, PREPARE_RULES);
  if (changes.version) checkApiVersion(changes.version);
  return {
    exchange: inherit(changes.exchange, base.exchange, DEFAULT_EXCHANGE),
    topic: inherit(changes.topic, base.topic, null),
    namespace: inherit(changes.namespace, base.namespace, null),
    version: inherit(changes.version, base.version, null),
    server: inherit(changes.server, base.server, null),
    fanout: inherit(changes.fanout, base.fanout, false),
    timeout: inherit(changes.timeout, base.timeout, defaultTimeout),
    versionCap: inherit(changes.versionCap, base.versionCap, null),
    retry: inherit(changes.retry, base.retry, -1),
    callMonitorTimeout: inherit(changes.callMonitorTimeout, base.callMonitorTimeout, null),
    atLeastOnce: inherit(changes.transportOptions, { atLeastOnce: base.atLeastOnce }, {}).atLeastOnce ?? false,
  };
}

function inherit<T>(change: T | null | undefined, base: T, reset: T): T {
  if (change === undefined) return base;
  return change ?? reset;
}

/** @throws RpcVersionCapError as Python's `_check_version_cap` */
export function checkVersionCap({ version, versionCap }: CallSettings): void {
  if (versionCap === null || isVersionCompatible(version, versionCap)) return;
  throw new RpcVersionCapError(version, versionCap);
}

/** @throws InvalidTarget without a topic */
export function requireTopic({ topic }: CallSettings): string {
  if (topic) return topic;
  throw new InvalidTarget('A topic is required to send a request');
}
