import { type ConfigFiles, type FoundValue, readFound } from './oslo-config/config-files.js';
import { KAFKA_OPTION_RULES, type KafkaOptions } from './kafka-options.js';
import { type OptionOrigin, withOrigins } from './option-origins.js';
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
 * The options in the query of a transport URL. `place`: where the URL stands, for errors.
 *
 * @throws ConfigurationError an unknown option, or a value that is none
 */
export function kafkaOptionsFromUrl({ query }: Pick<TransportUrl, 'query'>, place?: string): KafkaOptions {
  const found = Object.entries(query).map(([name, text]) => {
    const known = NAMES.find((one) => one === name);
    if (known === undefined)
      throw unknownOption(place === undefined ? 'The transport URL' : `Option ${place}`, name, NAMES);
    return [known, { text, where: `of ${place ?? 'the transport URL'}`, name }] as const;
  });
  return optionsOf(found);
}

/**
 * The options of `[oslo_messaging_kafka]` in files. An empty value is none.
 *
 * @throws ConfigurationError a value that is none
 */
export function kafkaOptionsFromFiles(files: ConfigFiles): KafkaOptions {
  const all = NAMES.map((name) => [name, files.find([GROUP, name])] as const);
  return optionsOf(all.filter((one): one is KnownValue => one[1] !== undefined && one[1].text.trim() !== ''));
}

/** Options of the group that nobody knows. */
export function unknownKafkaOptions(files: ConfigFiles): { name: string; path: string }[] {
  return files.namesIn(GROUP).filter(({ name }) => !Object.hasOwn(SUPPORTED, name));
}

type KnownValue = readonly [name: keyof typeof SUPPORTED, found: FoundValue];

function optionsOf(found: readonly KnownValue[]): KafkaOptions {
  const origins = found.map(([name, origin]): [keyof KafkaOptions, OptionOrigin] => [SUPPORTED[name], origin]);
  const values = found.map(([name, value]) => [SUPPORTED[name], readFound(value, KAFKA_OPTION_RULES[SUPPORTED[name]])]);
  return withOrigins(Object.fromEntries(values) as KafkaOptions, origins);
}
