import { ConfigurationError } from '../errors/configuration.errors.js';
import { checkOption, describeRule, readOption, type OptionRule, unknownOption } from './option-rule.js';
import { RABBIT_OPTION_RULES, type RabbitOptions } from './rabbit-options.js';
import type { TransportUrl } from './transport-url.js';

/** The options of `[oslo_messaging_rabbit]` that have their counterpart here, by their oslo names. */
const SUPPORTED = {
  amqp_durable_queues: 'amqpDurableQueues',
  amqp_auto_delete: 'amqpAutoDelete',
  heartbeat_timeout_threshold: 'heartbeatTimeoutThreshold',
  kombu_failover_strategy: 'kombuFailoverStrategy',
  kombu_missing_consumer_retry_timeout: 'kombuMissingConsumerRetryTimeout',
  kombu_reconnect_delay: 'kombuReconnectDelay',
  rabbit_interval_max: 'rabbitIntervalMax',
  rabbit_login_method: 'rabbitLoginMethod',
  rabbit_qos_prefetch_count: 'rabbitQosPrefetchCount',
  rabbit_quorum_delivery_limit: 'rabbitQuorumDeliveryLimit',
  rabbit_quorum_max_memory_bytes: 'rabbitQuorumMaxMemoryBytes',
  rabbit_quorum_max_memory_length: 'rabbitQuorumMaxMemoryLength',
  rabbit_quorum_queue: 'rabbitQuorumQueue',
  rabbit_retry_backoff: 'rabbitRetryBackoff',
  rabbit_retry_interval: 'rabbitRetryInterval',
  rabbit_transient_queues_ttl: 'rabbitTransientQueuesTtl',
  rabbit_transient_quorum_queue: 'rabbitTransientQuorumQueue',
  ssl: 'ssl',
  ssl_ca_file: 'sslCaFile',
  ssl_cert_file: 'sslCertFile',
  ssl_enforce_fips_mode: 'sslEnforceFipsMode',
  ssl_enforce_hostname_verification: 'sslEnforceHostnameVerification',
  ssl_key_file: 'sslKeyFile',
  ssl_version: 'sslVersion',
} as const satisfies Record<string, keyof RabbitOptions>;

const SWITCH: OptionRule = { type: 'boolean' };
const INTEGER: OptionRule = { type: 'integer' };
const TEXT: OptionRule = { type: 'string' };

/**
 * Options of Python's driver that have no counterpart here (yet), with the one value that asks for
 * nothing: what everybody else sets must not be dropped silently.
 */
const UNSUPPORTED: Readonly<Record<string, { rule: OptionRule; harmless?: boolean | number }>> = {
  conn_pool_min_size: { rule: INTEGER, harmless: 2 },
  conn_pool_ttl: { rule: INTEGER, harmless: 1200 },
  direct_mandatory_flag: { rule: SWITCH, harmless: true },
  enable_cancel_on_failover: { rule: SWITCH, harmless: false },
  heartbeat_in_pthread: { rule: SWITCH, harmless: false },
  heartbeat_rate: { rule: INTEGER, harmless: 3 },
  hostname: { rule: TEXT },
  kombu_compression: { rule: TEXT },
  kombu_reconnect_splay: { rule: { type: 'number' }, harmless: 0 },
  processname: { rule: TEXT },
  rabbit_ha_queues: { rule: SWITCH, harmless: false },
  rabbit_stream_fanout: { rule: SWITCH, harmless: false },
  rpc_conn_pool_size: { rule: INTEGER, harmless: 30 },
  use_queue_manager: { rule: SWITCH, harmless: false },
};

/**
 * The options in a transport URL, in its scheme and query; they rule over those given otherwise.
 *
 * @throws ConfigurationError an unknown or unsupported option, or a value that is none
 */
export function rabbitOptionsFromUrl({ ssl, query }: Pick<TransportUrl, 'query' | 'ssl'>): RabbitOptions {
  const options: [keyof RabbitOptions, unknown][] = ssl ? [['ssl', true]] : [];
  for (const [name, text] of Object.entries(query)) {
    if (Object.hasOwn(SUPPORTED, name)) {
      const option = SUPPORTED[name as keyof typeof SUPPORTED];
      options.push([option, readQueryOption(name, text, RABBIT_OPTION_RULES[option])]);
    } else {
      refuseUnlessHarmless(name, text);
    }
  }
  return Object.fromEntries(options);
}

function readQueryOption(name: string, text: string, rule: OptionRule): unknown {
  const value = readOption(text, rule);
  if (value === undefined) {
    throw new ConfigurationError(
      `Option ${name} of the transport URL must be ${describeRule(rule)}, not '${text}'`,
      text,
    );
  }
  checkOption(name, value, rule);
  return value;
}

function refuseUnlessHarmless(name: string, text: string): void {
  const option = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined;
  if (option === undefined)
    throw unknownOption('The transport URL', name, [...Object.keys(SUPPORTED), ...Object.keys(UNSUPPORTED)]);
  const value = readQueryOption(name, text, option.rule);
  if (option.harmless === undefined || value !== option.harmless) {
    throw new ConfigurationError(`Option ${name} of the transport URL is not supported yet`, name);
  }
}
