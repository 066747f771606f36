import { hostname } from 'node:os';
import type { ConnectBrokerOptions } from '../../broker/connect-broker.js';
import { checkOptions, hiding, type OptionRules, pickOptions } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { RABBIT_OPTION_RULES, type RabbitOptions } from '../../config/rabbit-options.js';
import { transportIdentity } from '../../config/transport-identity.js';
import { parseRpcTransportUrl } from '../../config/transport-url.js';
import { DEFAULT_EXCHANGE } from '../../rpc/client/call-settings.js';
import {
  RPC_SERVER_RULES,
  resolveRpcServerOptions,
  type ResolvedRpcServerOptions,
  type RpcServerOptions,
} from '../../rpc/server/rpc-server-options.js';
import { OSLO_RPC } from '../shared/nest.constants.js';
import { withNestExceptions } from './errors/rpc-exception.mapper.js';
import { busOf, refuseUnsetBus, type OsloConfigFile, readConfigFile } from '../shared/config-file.js';
import { type StartupOptions, startupOptionsOf, type StartupPolicy } from '../shared/startup-policy.js';

/**
 * Options of `ServerOsloRpc`, with those of the RPC server and of the bus.
 *
 * @publicApi
 */
export interface ServerOsloRpcOptions extends RpcServerOptions, ConnectBrokerOptions, StartupOptions {
  /** `memory://` is the embedded bus. `transport_url`. @defaultValue 'rabbit://guest:guest@127.0.0.1:5672/' */
  transportUrl?: string;
  /** Configuration files of a service, for what these options do not say: `'/etc/nova/nova.conf'`. */
  configFile?: OsloConfigFile;
  /** Of patterns that name none. `control_exchange`. @defaultValue 'openstack' */
  exchange?: string;
  /** Of patterns that name none. @defaultValue none: every pattern names its own */
  topic?: string;
  /** This server among those of its topics. @defaultValue os.hostname() */
  server?: string;
  /** Patterns with another transport id are not served; one of its own for a second bus. @defaultValue OSLO_RPC */
  transportId?: symbol;
  /**
   * True when events are written to Nest's log. Otherwise warnings and errors go to stderr, unless `events` has a listener.
   *
   * @defaultValue true
   */
  logEvents?: boolean;
}

export const SERVER_OSLO_RPC_RULES: OptionRules<ServerOsloRpcOptions> = {
  ...RABBIT_OPTION_RULES,
  ...RPC_SERVER_RULES,
  transportUrl: OPTION_TABLE.transportUrl,
  configFile: OPTION_TABLE.configFile,
  exchange: OPTION_TABLE.exchange,
  topic: OPTION_TABLE.topic,
  server: OPTION_TABLE.server,
  transportId: OPTION_TABLE.transportId,
  logEvents: OPTION_TABLE.logEvents,
  startup: OPTION_TABLE.startup,
  startupTimeoutMs: OPTION_TABLE.startupTimeoutMs,
};

export interface ResolvedServerOsloRpcOptions {
  transportUrl: string;
  exchange: string;
  topic?: string;
  server: string;
  transportId: symbol;
  logEvents: boolean;
  /** The bus, for whoever asks whether another URL is the same one. */
  transport: string;
  startup: StartupPolicy;
  startupTimeoutMs?: number;
  rpc: ResolvedRpcServerOptions;
  broker: RabbitOptions;
}

/** @throws InvalidTransportUrl, ConfigurationError */
export function resolveServerOsloRpcOptions(options: ServerOsloRpcOptions): ResolvedServerOsloRpcOptions {
  checkOptions('A server', options, SERVER_OSLO_RPC_RULES);
  refuseUnsetBus('A server', options);
  const config = readConfigFile(options.configFile);
  const { transportUrl, broker } = busOf(options, config);
  const { startup, startupTimeoutMs } = startupOptionsOf(options);
  const ofFile: RpcServerOptions = {
    executorThreadPoolSize: config?.executorThreadPoolSize,
    rpcPingEnabled: config?.rpcPingEnabled,
  };
  return hiding(['transportUrl', 'broker'], {
    transportUrl,
    transport: transportIdentity(parseRpcTransportUrl(transportUrl)),
    exchange: options.exchange ?? config?.exchange ?? DEFAULT_EXCHANGE,
    topic: options.topic,
    server: options.server ?? hostname(),
    transportId: options.transportId ?? OSLO_RPC,
    logEvents: options.logEvents ?? true,
    startup: startup ?? 'wait',
    startupTimeoutMs,
    rpc: resolveRpcServerOptions(withNestExceptions({ ...ofFile, ...pickOptions(options, RPC_SERVER_RULES) })),
    broker,
  });
}
