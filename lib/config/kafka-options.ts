import { mergeOptions } from './option-origins.js';
import { checkOptions, hiding, type OptionRule, type OptionRules, pickOptions } from './option-rule.js';

/**
 * Options of Kafka, for `kafka://` URLs: those of `[oslo_messaging_kafka]`, with their meaning and unit.
 *
 * @publicApi
 */
export interface KafkaOptions {
  /** Most bytes of one partition in one fetch; of a larger message, that one alone. `kafka_max_fetch_bytes`. @defaultValue 1048576 */
  kafkaMaxFetchBytes?: number;
  /** Taken and without effect: nothing here polls. `kafka_consumer_timeout`. @defaultValue 1 */
  kafkaConsumerTimeout?: number;
  /** Group of listeners without a pool: its members share what comes. `consumer_group`. @defaultValue 'oslo_messaging_consumer' */
  consumerGroup?: string;
  /** Seconds that a notification waits for others to go out with it. `producer_batch_timeout`. @defaultValue 0 */
  producerBatchTimeout?: number;
  /** Most notifications that go out together. `producer_batch_size`. @defaultValue 16384 */
  producerBatchSize?: number;
  /** Compresses what is sent; `zstd` needs Node.js 22.15 or later, to read it as well. `compression_codec`. @defaultValue 'none' */
  compressionCodec?: 'gzip' | 'lz4' | 'none' | 'snappy' | 'zstd';
  /** Commits every 5 s, instead of before each dispatch: after a crash some notifications come again. `enable_auto_commit`. @defaultValue false */
  enableAutoCommit?: boolean;
  /** Most notifications that are committed, and handed over, at once. `max_poll_records`. @defaultValue 500 */
  maxPollRecords?: number;
  /** How to talk to the brokers. `security_protocol`. @defaultValue 'PLAINTEXT' */
  securityProtocol?: 'PLAINTEXT' | 'SASL_PLAINTEXT' | 'SASL_SSL' | 'SSL';
  /** How to log in, with the user and password of the URL. `sasl_mechanism`. @defaultValue 'PLAIN' */
  saslMechanism?: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  /** File with the certificates (PEM) of the authorities that may sign the brokers'. `ssl_cafile`. @defaultValue those that Node.js knows */
  sslCafile?: string;
  /** File with our own certificate (PEM). `ssl_client_cert_file`. */
  sslClientCertFile?: string;
  /** File with the private key (PEM) of our certificate. `ssl_client_key_file`. */
  sslClientKeyFile?: string;
  /** Opens an encrypted private key. `ssl_client_key_password`. */
  sslClientKeyPassword?: string;
}

type OptionalWhenResolved = 'sslCafile' | 'sslClientCertFile' | 'sslClientKeyFile' | 'sslClientKeyPassword';

/**
 * Every option with its value; what stays optional is not set.
 *
 * @publicApi
 */
export type ResolvedKafkaOptions = Required<Omit<KafkaOptions, OptionalWhenResolved>> &
  Pick<KafkaOptions, OptionalWhenResolved>;

const SWITCH: OptionRule = { type: 'boolean' };
const NAME: OptionRule = { type: 'name' };
const POSITIVE: OptionRule = { type: 'integer', min: 1, max: 2_147_483_647 };

/** The rule of each option; types as in oslo.config, ranges where Kafka has them. */
export const KAFKA_OPTION_RULES: OptionRules<KafkaOptions> = {
  kafkaMaxFetchBytes: POSITIVE,
  kafkaConsumerTimeout: { type: 'number' },
  consumerGroup: NAME,
  producerBatchTimeout: { type: 'number', min: 0, max: 900 },
  producerBatchSize: POSITIVE,
  compressionCodec: { type: 'choice', choices: ['none', 'gzip', 'snappy', 'lz4', 'zstd'] },
  enableAutoCommit: SWITCH,
  maxPollRecords: POSITIVE,
  securityProtocol: { type: 'choice', choices: ['PLAINTEXT', 'SASL_PLAINTEXT', 'SSL', 'SASL_SSL'] },
  saslMechanism: { type: 'choice', choices: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] },
  sslCafile: NAME,
  sslClientCertFile: NAME,
  sslClientKeyFile: NAME,
  sslClientKeyPassword: NAME,
};

/**
 * Every option with its value. `below`: what counts where an option is not set; checked.
 *
 * @throws ConfigurationError
 */
export function resolveKafkaOptions(options: KafkaOptions = {}, below: KafkaOptions = {}): ResolvedKafkaOptions {
  checkOptions('Option kafka', options, KAFKA_OPTION_RULES);
  const defaults: ResolvedKafkaOptions = {
    kafkaMaxFetchBytes: 1_048_576,
    kafkaConsumerTimeout: 1,
    consumerGroup: 'oslo_messaging_consumer',
    producerBatchTimeout: 0,
    producerBatchSize: 16_384,
    compressionCodec: 'none',
    enableAutoCommit: false,
    maxPollRecords: 500,
    securityProtocol: 'PLAINTEXT',
    saslMechanism: 'PLAIN',
  };
  const resolved = mergeOptions<ResolvedKafkaOptions>(defaults, overKafka(below, options));
  return 'sslClientKeyPassword' in resolved ? hiding(['sslClientKeyPassword'], resolved) : resolved;
}

/** The options of the second over those of the first. Unknown ones stay, to be refused where they are checked. */
export function overKafka(below: KafkaOptions = {}, options: KafkaOptions = {}): KafkaOptions {
  return mergeOptions<KafkaOptions>(unknownOf(below), unknownOf(options), knownOf(below), knownOf(options));
}

function knownOf(options: KafkaOptions): KafkaOptions {
  return pickOptions(options, KAFKA_OPTION_RULES);
}

function unknownOf(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(KAFKA_OPTION_RULES, name)));
}
