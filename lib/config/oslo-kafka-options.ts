import { type ConfigFiles, type FoundValue, readFound } from './oslo-config/config-files.js';
import { KAFKA_OPTION_RULES, type KafkaOptions } from './kafka-options.js';
import { unknownOption } from './option-rule.js';
import type { TransportUrl } from './transport-url.js';

const GROUP = 'oslo_messaging_kafka';

/** The options of the group, by their oslo names. */
const SUPPORTED = {
  kafka_max_fetch_bytes: 'kafkaMaxFetchBytes',
  kafka_consumer_timeout: 'kafkaConsumerTimeout',
  consumer_group: 'consumerGroup',
  producer_batch_timeout: 'producerBatchTimeout',
  producer_batch_size: 'producerBatchSize',
  compression_codec: 'compressionCodec',
  enable_auto_commit: 'enableAutoCommit',
  max_poll_records: 'maxPollRecords',
  security_protocol: 'securityProtocol',
  sasl_mechanism: 'saslMechanism',
  ssl_cafile: 'sslCafile',
  ssl_client_cert_file: 'sslClientCertFile',
  ssl_client_key_file: 'sslClientKeyFile',
  ssl_client_key_password: 'sslClientKeyPassword',
} as const satisfies Record<string, keyof KafkaOptions>;

const NAMES = Object.keys(SUPPORTED) as (keyof typeof SUPPORTED)[];

/**
 * The options in the query of a transport URL.
 *
 * @throws ConfigurationError an unknown option, or a value that is none
 */
export function kafkaOptionsFromUrl({ query }: Pick<TransportUrl, 'query'>): KafkaOptions {
  const options: KafkaOptions = {};
  for (const [name, text] of Object.entries(query)) {
    const known = NAMES.find((one) => one === name);
    if (known === undefined) throw unknownOption('The transport URL', name, NAMES);
    Object.assign(options, read(known, { text, where: 'of the transport URL', name }));
  }
  return options;
}

/**
 * The options of `[oslo_messaging_kafka]` in files. An empty value is none.
 *
 * @throws ConfigurationError a value that is none
 */
export function kafkaOptionsFromFiles(files: ConfigFiles): KafkaOptions {
  const options: KafkaOptions = {};
  for (const name of NAMES) {
    const found = files.find([GROUP, name]);
    if (found && found.text.trim() !== '') Object.assign(options, read(name, found));
  }
  return options;
}

/** Options of the group that nobody knows. */
export function unknownKafkaOptions(files: ConfigFiles): { name: string; path: string }[] {
  return files.namesIn(GROUP).filter(({ name }) => !Object.hasOwn(SUPPORTED, name));
}

function read(name: keyof typeof SUPPORTED, found: FoundValue): KafkaOptions {
  const option = SUPPORTED[name];
  return { [option]: readFound(found, KAFKA_OPTION_RULES[option]) };
}
