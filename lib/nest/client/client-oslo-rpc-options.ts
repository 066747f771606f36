import type { ConnectBrokerOptions } from '../../broker/connect-broker.js';
import { checkOptions, hiding, type OptionRules, pickOptions } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { RABBIT_OPTION_RULES, type RabbitOptions } from '../../config/rabbit-options.js';
import { transportIdentity } from '../../config/transport-identity.js';
import { parseRpcTransportUrl } from '../../config/transport-url.js';
import { DEFAULT_EXCHANGE } from '../../rpc/client/call-settings.js';
import { RPC_CLIENT_RULES, type RpcClientOptions } from '../../rpc/client/rpc-client-options.js';
import type { Target } from '../../wire/target.js';
import { busOf, refuseUnsetBus, type OsloConfigFile, readConfigFile } from '../shared/config-file.js';
import { type ForwardContext, forwardedContext } from '../shared/request-context.store.js';
import { type StartupOptions, startupOptionsOf, type StartupPolicy } from '../shared/startup-policy.js';

/**
 * Options of `ClientOsloRpc`, with those of the RPC client and of the bus.
 *
 * @publicApi
 */
export interface ClientOsloRpcOptions extends RpcClientOptions, ConnectBrokerOptions, StartupOptions {
  /** `memory://` is the embedded bus. `transport_url`. @defaultValue 'rabbit://guest:guest@127.0.0.1:5672/' */
  transportUrl?: string;
  /** Configuration files of a service, for what these options do not say: `'/etc/nova/nova.conf'`. */
  configFile?: OsloConfigFile;
  /** Of patterns that name none. `control_exchange`. @defaultValue 'openstack' */
  exchange?: string;
  /** Of patterns that name none. @defaultValue none: every pattern names its own */
  topic?: string;
  /** Of patterns that name none. @defaultValue null */
  namespace?: string | null;
  /** Of patterns that name none. @defaultValue none, which servers take for '1.0' */
  version?: string;
  /** Of patterns that name none. @defaultValue none: any server of the topic */
  server?: string;
  /** True when requests made in a handler carry the context of its request, where they name none. @defaultValue 'same-transport' */
  forwardContext?: ForwardContext;
  /**
   * True when events are written to Nest's log. Otherwise warnings and errors go to stderr, unless `events` has a listener.
   *
   * @defaultValue true; of an `OsloClient` that no module has made false, so that a script's stdout is its own
   */
  logEvents?: boolean;
}

export const CLIENT_OSLO_RPC_RULES: OptionRules<ClientOsloRpcOptions> = {
  ...RABBIT_OPTION_RULES,
  ...RPC_CLIENT_RULES,
  transportUrl: OPTION_TABLE.transportUrl,
  configFile: OPTION_TABLE.configFile,
  exchange: OPTION_TABLE.exchange,
  topic: OPTION_TABLE.topic,
  namespace: OPTION_TABLE.namespace,
  version: OPTION_TABLE.version,
  server: OPTION_TABLE.server,
  forwardContext: OPTION_TABLE.forwardContext,
  logEvents: OPTION_TABLE.logEvents,
  startup: OPTION_TABLE.startup,
  startupTimeoutMs: OPTION_TABLE.startupTimeoutMs,
};

export interface ResolvedClientOsloRpcOptions {
  transportUrl: string;
  target: Target;
  logEvents: boolean;
  callSite: boolean;
  startup: StartupPolicy;
  startupTimeoutMs?: number;
  rpc: RpcClientOptions;
  broker: RabbitOptions;
}

/** @throws InvalidTransportUrl, ConfigurationError */
export function resolveClientOsloRpcOptions(
  options: ClientOsloRpcOptions,
  logsByDefault = true,
): ResolvedClientOsloRpcOptions {
  checkOptions('A client', options, CLIENT_OSLO_RPC_RULES);
  refuseUnsetBus('A client', options);
  const config = readConfigFile(options.configFile);
  const { exchange = config?.exchange ?? DEFAULT_EXCHANGE, namespace, server, topic, version } = options;
  const { transportUrl, broker } = busOf(options, config);
  const transport = transportIdentity(parseRpcTransportUrl(transportUrl));
  const { startup, startupTimeoutMs } = startupOptionsOf(options);
  return hiding(['transportUrl', 'broker'], {
    transportUrl,
    target: { exchange, topic, namespace, version, server },
    logEvents: options.logEvents ?? logsByDefault,
    callSite: options.callSite ?? true,
    startup: startup ?? 'wait',
    startupTimeoutMs,
    rpc: {
      ...(config?.timeout !== undefined && { timeout: config.timeout }),
      ...pickOptions<RpcClientOptions>(options, RPC_CLIENT_RULES),
      defaultContext: contextSource(options, transport),
    },
    broker,
  });
}

/** The context of a request that names none: that of the request being handled, where it may be sent on. */
function contextSource(
  { forwardContext = 'same-transport', defaultContext = () => ({}) }: ClientOsloRpcOptions,
  transport: string,
): () => object {
  return () => forwardedContext(forwardContext, transport) ?? defaultContext();
}
