import { mergeOptions, withOrigins } from './option-origins.js';
import { type OptionRule, unknownOption } from './option-rule.js';
import { type ConfigFiles, type FoundValue, type OptionName, readFound } from './oslo-config/config-files.js';
import { RABBIT_OPTION_RULES, type RabbitOptions } from './rabbit-options.js';
import type { TransportUrl } from './transport-url.js';

const GROUP = 'oslo_messaging_rabbit';

/** The broker's address, in files of the time before transport URLs. */
export const OLD_ADDRESS_OPTIONS = [
  'rabbit_host',
  'rabbit_hosts',
  'rabbit_password',
  'rabbit_port',
  'rabbit_userid',
  'rabbit_virtual_host',
] as const;

/** The options of the group that have their counterpart here, by their oslo names. */
const SUPPORTED = {
  amqp_durable_queues: 'amqpDurableQueues',
  amqp_auto_delete: 'amqpAutoDelete',
  enable_cancel_on_failover: 'enableCancelOnFailover',
  heartbeat_timeout_threshold: 'heartbeatTimeoutThreshold',
  hostname: 'hostname',
  kombu_compression: 'kombuCompression',
  kombu_failover_strategy: 'kombuFailoverStrategy',
  kombu_missing_consumer_retry_timeout: 'kombuMissingConsumerRetryTimeout',
  kombu_reconnect_delay: 'kombuReconnectDelay',
  processname: 'processname',
  rabbit_ha_queues: 'rabbitHaQueues',
  rabbit_interval_max: 'rabbitIntervalMax',
  rabbit_login_method: 'rabbitLoginMethod',
  rabbit_qos_prefetch_count: 'rabbitQosPrefetchCount',
  rabbit_quorum_delivery_limit: 'rabbitQuorumDeliveryLimit',
  rabbit_quorum_max_memory_bytes: 'rabbitQuorumMaxMemoryBytes',
  rabbit_quorum_max_memory_length: 'rabbitQuorumMaxMemoryLength',
  rabbit_quorum_queue: 'rabbitQuorumQueue',
  rabbit_retry_backoff: 'rabbitRetryBackoff',
  rabbit_retry_interval: 'rabbitRetryInterval',
  rabbit_stream_fanout: 'rabbitStreamFanout',
  rabbit_transient_queues_ttl: 'rabbitTransientQueuesTtl',
  rabbit_transient_quorum_queue: 'rabbitTransientQuorumQueue',
  ssl: 'ssl',
  ssl_ca_file: 'sslCaFile',
  ssl_cert_file: 'sslCertFile',
  ssl_enforce_fips_mode: 'sslEnforceFipsMode',
  ssl_enforce_hostname_verification: 'sslEnforceHostnameVerification',
  ssl_key_file: 'sslKeyFile',
  ssl_version: 'sslVersion',
  use_queue_manager: 'useQueueManager',
} as const satisfies Record<string, keyof RabbitOptions>;

const SWITCH: OptionRule = { type: 'boolean' };
const INTEGER: OptionRule = { type: 'integer' };

/** Options of the group that Python's driver has and that change nothing here: two connections, no threads, no pool. */
const WITHOUT_EFFECT: Readonly<Record<string, OptionRule>> = {
  conn_pool_min_size: INTEGER,
  conn_pool_ttl: INTEGER,
  direct_mandatory_flag: SWITCH,
  heartbeat_in_pthread: SWITCH,
  heartbeat_rate: INTEGER,
  kombu_reconnect_splay: { type: 'number' },
  rpc_conn_pool_size: INTEGER,
};

/** Older names, which files may have; those without a group stand in the same one. */
const DEPRECATED: Readonly<Record<string, readonly OptionName[]>> = {
  amqp_auto_delete: [['DEFAULT', 'amqp_auto_delete']],
  amqp_durable_queues: [
    ['DEFAULT', 'amqp_durable_queues'],
    ['DEFAULT', 'rabbit_durable_queues'],
    [GROUP, 'rabbit_durable_queues'],
  ],
  kombu_missing_consumer_retry_timeout: [[GROUP, 'kombu_reconnect_timeout']],
  kombu_reconnect_delay: [['DEFAULT', 'kombu_reconnect_delay']],
  rabbit_ha_queues: [['DEFAULT', 'rabbit_ha_queues']],
  rabbit_login_method: [['DEFAULT', 'rabbit_login_method']],
  rabbit_quorum_max_memory_bytes: [[GROUP, 'rabbit_quroum_max_memory_bytes']],
  rabbit_quorum_max_memory_length: [[GROUP, 'rabbit_quroum_max_memory_length']],
  rabbit_retry_backoff: [['DEFAULT', 'rabbit_retry_backoff']],
  rabbit_retry_interval: [['DEFAULT', 'rabbit_retry_interval']],
  rpc_conn_pool_size: [['DEFAULT', 'rpc_conn_pool_size']],
  ssl: [
    [GROUP, 'rabbit_use_ssl'],
    ['DEFAULT', 'rabbit_use_ssl'],
  ],
  ssl_ca_file: [
    [GROUP, 'kombu_ssl_ca_certs'],
    ['DEFAULT', 'kombu_ssl_ca_certs'],
  ],
  ssl_cert_file: [
    [GROUP, 'kombu_ssl_certfile'],
    ['DEFAULT', 'kombu_ssl_certfile'],
  ],
  ssl_key_file: [
    [GROUP, 'kombu_ssl_keyfile'],
    ['DEFAULT', 'kombu_ssl_keyfile'],
  ],
  ssl_version: [
    [GROUP, 'kombu_ssl_version'],
    ['DEFAULT', 'kombu_ssl_version'],
  ],
};

const NAMES = [...Object.keys(SUPPORTED), ...Object.keys(WITHOUT_EFFECT)];

/**
 * The options in a transport URL, in its scheme and query. `place`: where the URL stands, for errors.
 *
 * @throws ConfigurationError an unknown option, or a value that is none
 */
export function rabbitOptionsFromUrl(
  { ssl, query }: Pick<TransportUrl, 'query' | 'ssl'>,
  place?: string,
): RabbitOptions {
  const found = Object.entries(query).map(([name, text]): NamedValue => {
    if (!NAMES.includes(name))
      throw unknownOption(place === undefined ? 'The transport URL' : `Option ${place}`, name, NAMES);
    return [name, { text, where: `of ${place ?? 'the transport URL'}`, name }];
  });
  return mergeOptions(ssl ? { ssl: true } : {}, ...found.map(readRabbitOption));
}

/**
 * The options of `[oslo_messaging_rabbit]` in files. An empty value is none.
 *
 * @throws ConfigurationError a value that is none
 */
export function rabbitOptionsFromFiles(files: ConfigFiles): RabbitOptions {
  const all = NAMES.map((name) => [name, files.find([GROUP, name], ...(DEPRECATED[name] ?? []))] as const);
  const found = all.filter((one): one is NamedValue => one[1] !== undefined && one[1].text.trim() !== '');
  return mergeOptions({}, ...found.map(readRabbitOption));
}

/** Options of the group that nobody knows. */
export function unknownRabbitOptions(files: ConfigFiles): { name: string; path: string }[] {
  const older = Object.values(DEPRECATED).flatMap((names) => names.map(([, name]) => name));
  const known = new Set([...NAMES, ...older, ...OLD_ADDRESS_OPTIONS]);
  return files.namesIn(GROUP).filter(({ name }) => !known.has(name));
}

/** `name`: the newest of its names. */
type NamedValue = readonly [name: string, found: FoundValue];

function readRabbitOption([name, found]: NamedValue): RabbitOptions {
  if (Object.hasOwn(SUPPORTED, name)) {
    const option = SUPPORTED[name as keyof typeof SUPPORTED];
    return withOrigins({ [option]: readFound(found, RABBIT_OPTION_RULES[option]) }, [[option, found]]);
  }
  readFound(found, WITHOUT_EFFECT[name]!);
  return {};
}
