import { basename } from 'node:path';
import v8 from 'node:v8';

import { ConfigurationError } from '../errors/configuration.errors.js';
import { type KafkaOptions, resolveKafkaOptions, type ResolvedKafkaOptions } from './kafka-options.js';
import { labelOf, mergeOptions, spelledLike } from './option-origins.js';
import { checkOptions, hiding, type OptionRule, type OptionRules, pickOptions } from './option-rule.js';

/**
 * Options of the bus connection. Those that mirror an oslo.messaging option of
 * `[oslo_messaging_rabbit]` keep its meaning and unit.
 *
 * @publicApi
 */
export interface RabbitOptions {
  /** Durable control exchange, topic and notification queues. `amqp_durable_queues`. @defaultValue false */
  amqpDurableQueues?: boolean;
  /** Auto-delete control exchange, topic and notification queues. `amqp_auto_delete`. @defaultValue false */
  amqpAutoDelete?: boolean;
  /** Quorum topic and notification queues (durable by nature). `rabbit_quorum_queue`. @defaultValue false */
  rabbitQuorumQueue?: boolean;
  /** Quorum reply and fanout queues. `rabbit_transient_quorum_queue`. @defaultValue false */
  rabbitTransientQuorumQueue?: boolean;
  /** Seconds that unused reply and fanout queues live on (`x-expires`), 0 = for ever. `rabbit_transient_queues_ttl`. @defaultValue 1800 */
  rabbitTransientQueuesTtl?: number;
  /** Deliveries after which a quorum queue drops a message, if above 0. `rabbit_quorum_delivery_limit`. @defaultValue 0 */
  rabbitQuorumDeliveryLimit?: number;
  /** Most messages that a quorum queue keeps in memory, if above 0. `rabbit_quorum_max_memory_length`. @defaultValue 0 */
  rabbitQuorumMaxMemoryLength?: number;
  /** Most bytes that a quorum queue keeps in memory, if above 0. `rabbit_quorum_max_memory_bytes`. @defaultValue 0 */
  rabbitQuorumMaxMemoryBytes?: number;
  /**
   * One stream per topic for fanout casts, instead of a queue per server. Needs `rabbitTransientQuorumQueue`, and a prefetch.
   * `rabbit_stream_fanout`. @defaultValue false
   */
  rabbitStreamFanout?: boolean;
  /**
   * Reply and fanout queues have names that stay: `<hostname>:<processname>:<n>`. The counter is in shared memory (Linux), in
   * Python's format. `use_queue_manager`. @defaultValue false
   */
  useQueueManager?: boolean;
  /** In names that stay. `hostname`. @defaultValue os.hostname() */
  hostname?: string;
  /** In names that stay; no other service of this host may have it, Python's least of all. `processname`. @defaultValue `node-<script>-<hash of its path>` */
  processname?: string;
  /** Unacknowledged deliveries per queue; 0: no limit; absent: our own default. `rabbit_qos_prefetch_count`. */
  rabbitQosPrefetchCount?: number;
  /** AMQP heartbeat in seconds, 0 = off. `heartbeat_timeout_threshold`. @defaultValue 60 */
  heartbeatTimeoutThreshold?: number;
  /** Seconds between the first and second reconnect attempt; set, it replaces our own backoff. `rabbit_retry_interval`. */
  rabbitRetryInterval?: number;
  /** Seconds added per reconnect attempt. `rabbit_retry_backoff`. */
  rabbitRetryBackoff?: number;
  /** Most seconds between reconnect attempts. `rabbit_interval_max`. */
  rabbitIntervalMax?: number;
  /** Seconds to wait before reconnecting. `kombu_reconnect_delay`. */
  kombuReconnectDelay?: number;
  /** Most seconds that a server goes on trying to hand over a reply. `kombu_missing_consumer_retry_timeout`. @defaultValue 60 */
  kombuMissingConsumerRetryTimeout?: number;
  /** Which host is tried next. `kombu_failover_strategy`. @defaultValue 'round-robin' */
  kombuFailoverStrategy?: 'round-robin' | 'shuffle';
  /**
   * Compresses what is published, always as a zlib stream; peers read it by its header. All names mean the
   * same; all but `gzip` and `zlib` are there for the files of Python services. `kombu_compression`.
   *
   * @defaultValue none
   */
  kombuCompression?: 'brotli' | 'bz2' | 'bzip' | 'bzip2' | 'gzip' | 'zlib' | 'zstandard' | 'zstd';
  /**
   * Declares mirrored queues with `x-ha-policy`, as peers do that have it on. RabbitMQ has ignored it since 3.0 (a policy does
   * it), and has none since 4.0, where it is left out. Not with quorum queues. `rabbit_ha_queues`. @defaultValue false
   */
  rabbitHaQueues?: boolean;
  /** Consumers of mirrored queues are cancelled when their queue fails over. Not with quorum queues. `enable_cancel_on_failover`. @defaultValue false */
  enableCancelOnFailover?: boolean;
  /**
   * Writes RPC messages without the envelope, for peers that are older than it; what they write is read in any case.
   *
   * @defaultValue false
   */
  legacyBareMessages?: boolean;
  /**
   * Declares an exchange called as our reply queue, bound to it by that name. Servers before oslo.messaging 9.2 answer through
   * it; all others take no notice of it. @defaultValue false
   */
  legacyReplyExchange?: boolean;
  /** SASL mechanism. `rabbit_login_method`. @defaultValue 'AMQPLAIN' */
  rabbitLoginMethod?: 'AMQPLAIN' | 'EXTERNAL' | 'PLAIN';
  /**
   * TLS; the URL `rabbit+ssl://…` switches it on, too. The port stays 5672 unless the URL names another: RabbitMQ's own for TLS
   * is 5671. `ssl`. @defaultValue false
   */
  ssl?: boolean;
  /**
   * File with the certificates (PEM) of the authorities that may sign the broker's. `ssl_ca_file`. Unlike in Python, the
   * broker's certificate is checked without it as well. Files are read again with each attempt to connect: a renewed
   * certificate needs no restart. @defaultValue the authorities that Node.js knows
   */
  sslCaFile?: string;
  /** The same as text (PEM), instead of a file. */
  sslCa?: string;
  /** File with our own certificate (PEM), for a broker that wants one; needs the key. `ssl_cert_file`. */
  sslCertFile?: string;
  /** The same as text (PEM), instead of a file. */
  sslCert?: string;
  /** File with the private key (PEM) of our certificate. `ssl_key_file`. */
  sslKeyFile?: string;
  /** The same as text (PEM), instead of a file. */
  sslKey?: string;
  /** Opens an encrypted private key. */
  sslKeyPassphrase?: string;
  /** This version of TLS and no other; `SSLv23`: whatever both sides can. `ssl_version`. @defaultValue TLSv1_2 or TLSv1_3 */
  sslVersion?: 'SSLv23' | 'TLSv1' | 'TLSv1_1' | 'TLSv1_2' | 'TLSv1_3';
  /** Ciphers that may be used, as OpenSSL lists them, e.g. `'ECDHE+AESGCM:!aNULL'`. @defaultValue those of Node.js */
  sslCiphers?: string;
  /** The broker's certificate must be for the host of the URL. `ssl_enforce_hostname_verification`. @defaultValue true */
  sslEnforceHostnameVerification?: boolean;
  /** The name that the certificate must be for, where that is not the host of the URL; the broker is told it (SNI). */
  sslServerName?: string;
  /** False takes any certificate, so that anybody on the way can read and change what is sent. @defaultValue true */
  sslVerify?: boolean;
  /** Requires that Node.js runs in FIPS mode; nothing is switched on. `ssl_enforce_fips_mode`. @defaultValue false */
  sslEnforceFipsMode?: boolean;
  /**
   * A stalled socket is given up when the broker answers nothing for so long, and an attempt to connect as well; a host
   * that was too slow has as much more the next time, up to 15 s. @defaultValue 5000
   */
  livenessTimeoutMs?: number;
  /** How often consumed queues are looked at, whether the broker still knows their consumers. @defaultValue 30000 */
  consumerCheckIntervalMs?: number;
  /**
   * Most requests that were published and are not confirmed yet, and as many notifications beside them; more reject
   * at once. Answers and heartbeats are not counted. @defaultValue 10000
   */
  maxInFlightMessages?: number;
  /**
   * Most bytes of memory that such messages take, requests and as many for notifications; more reject at once.
   * Counted are the text, its encoded form and 1 KiB a message.
   *
   * @defaultValue 67108864 (64 MiB), in a small heap an eighth of it
   */
  maxInFlightBytes?: number;
  /** Most calls that wait for their answers on one connection; more reject at once. @defaultValue 50000 */
  maxPendingCalls?: number;
  /** Publish again, with the same `_unique_id`, what was not confirmed when its connection died. @defaultValue true */
  republishUnconfirmed?: boolean;
  /**
   * Received bodies above are rejected unread, in bytes; as large as RabbitMQ 4 takes them. One of more than half of it that is
   * delivered again is rejected, too: it may have ended whoever had it before. @defaultValue 16777216 (16 MiB)
   */
  maxMessageBytes?: number;
  /** Compressed bodies that become larger are rejected, in bytes. @defaultValue 8388608 (8 MiB) */
  maxInflatedBytes?: number;
  /** Received bodies with more JSON values are rejected before they are parsed. @defaultValue 1000000, in a small heap fewer */
  maxMessageValues?: number;
  /**
   * Most bytes of memory that messages take which were delivered and are not acknowledged yet, on all queues together; and that
   * requests take which run, per server. What comes above goes back to its queue, and nothing more is taken before half of
   * it is done. One message per subscription is always taken. Auto-delete queues (`amqpAutoDelete`) are left out: a queue
   * would go with all that waits in it when nothing more is taken. What is held of those the prefetch bounds.
   *
   * @defaultValue 134217728 (128 MiB), at most a quarter of the heap
   */
  maxHeldBytes?: number;
  /** Larger messages are refused before they are sent, in bytes; RabbitMQ has a limit of its own. @defaultValue 16777216 (16 MiB) */
  maxOutgoingMessageBytes?: number;
  /** Shown by RabbitMQ's management. @defaultValue `<process>:<pid>:<uuid>` */
  connectionName?: string;
  /** Of Kafka, where the URL is `kafka://`. `[oslo_messaging_kafka]`. @defaultValue {} */
  kafka?: KafkaOptions;
}

/**
 * Every option with its value; what stays optional has a meaning of its own when it is absent.
 *
 * @publicApi
 */
export type ResolvedRabbitOptions = Required<Omit<RabbitOptions, OptionalWhenResolved | 'kafka'>> &
  Pick<RabbitOptions, OptionalWhenResolved> & { readonly kafka: ResolvedKafkaOptions };

type OptionalWhenResolved =
  | 'hostname'
  | 'processname'
  | 'kombuCompression'
  | 'kombuReconnectDelay'
  | 'rabbitIntervalMax'
  | 'rabbitQosPrefetchCount'
  | 'rabbitRetryBackoff'
  | 'rabbitRetryInterval'
  | 'sslCa'
  | 'sslCaFile'
  | 'sslCert'
  | 'sslCertFile'
  | 'sslCiphers'
  | 'sslKey'
  | 'sslKeyFile'
  | 'sslKeyPassphrase'
  | 'sslServerName'
  | 'sslVersion';

const INTEGER: OptionRule = { type: 'integer' };
const POSITIVE: OptionRule = { type: 'integer', min: 1 };
const SWITCH: OptionRule = { type: 'boolean' };
const NAME: OptionRule = { type: 'name' };
const SHORT: OptionRule = { type: 'integer', min: 0, max: 65_535 };
/** setTimeout fires at once above 2^31−1 ms. */
const TIMER_MS: OptionRule = { type: 'integer', min: 1, max: 2_147_483_647 };
const TIMER_SECONDS: OptionRule = { type: 'number', min: 0, max: 2_147_483 };

/** The rule of each option; types as in oslo.config, ranges where AMQP or oslo have them. */
export const RABBIT_OPTION_RULES: OptionRules<RabbitOptions> = {
  amqpDurableQueues: SWITCH,
  amqpAutoDelete: SWITCH,
  rabbitQuorumQueue: SWITCH,
  rabbitTransientQuorumQueue: SWITCH,
  // RabbitMQ takes at most 2^32−1 ms.
  rabbitTransientQueuesTtl: { type: 'integer', min: 0, max: 4_294_967 },
  rabbitQuorumDeliveryLimit: INTEGER,
  rabbitQuorumMaxMemoryLength: INTEGER,
  rabbitQuorumMaxMemoryBytes: INTEGER,
  rabbitQosPrefetchCount: SHORT,
  heartbeatTimeoutThreshold: SHORT,
  rabbitRetryInterval: { type: 'integer', min: 1, max: 2_147_483 },
  rabbitRetryBackoff: { type: 'integer', min: 0, max: 2_147_483 },
  rabbitIntervalMax: { type: 'integer', min: 1, max: 2_147_483 },
  kombuReconnectDelay: { type: 'number', min: 0, max: 4.5 },
  kombuMissingConsumerRetryTimeout: TIMER_SECONDS,
  kombuFailoverStrategy: { type: 'choice', choices: ['round-robin', 'shuffle'] },
  kombuCompression: {
    type: 'choice',
    choices: ['gzip', 'zlib', 'bzip2', 'bzip', 'bz2', 'brotli', 'zstd', 'zstandard'],
  },
  legacyBareMessages: SWITCH,
  legacyReplyExchange: SWITCH,
  rabbitHaQueues: SWITCH,
  rabbitStreamFanout: SWITCH,
  useQueueManager: SWITCH,
  hostname: NAME,
  processname: NAME,
  enableCancelOnFailover: SWITCH,
  rabbitLoginMethod: { type: 'choice', choices: ['AMQPLAIN', 'EXTERNAL', 'PLAIN'] },
  ssl: SWITCH,
  sslCaFile: NAME,
  sslCa: NAME,
  sslCertFile: NAME,
  sslCert: NAME,
  sslKeyFile: NAME,
  sslKey: NAME,
  sslKeyPassphrase: NAME,
  sslVersion: { type: 'choice', anyCase: true, choices: ['SSLv23', 'TLSv1', 'TLSv1_1', 'TLSv1_2', 'TLSv1_3'] },
  sslCiphers: NAME,
  sslEnforceHostnameVerification: SWITCH,
  sslServerName: NAME,
  sslVerify: SWITCH,
  sslEnforceFipsMode: SWITCH,
  livenessTimeoutMs: TIMER_MS,
  consumerCheckIntervalMs: TIMER_MS,
  maxInFlightMessages: POSITIVE,
  maxInFlightBytes: POSITIVE,
  maxPendingCalls: POSITIVE,
  republishUnconfirmed: SWITCH,
  maxMessageBytes: POSITIVE,
  maxInflatedBytes: POSITIVE,
  maxMessageValues: POSITIVE,
  maxHeldBytes: POSITIVE,
  maxOutgoingMessageBytes: POSITIVE,
  connectionName: NAME,
  kafka: { type: 'object' },
};

/**
 * Every option with its value: the one place of defaults and checks. `below`: what counts where an option is not set; checked.
 *
 * @throws ConfigurationError an unknown option, or a value of the wrong type or out of its range
 */
export function resolveRabbitOptions(options: RabbitOptions = {}, below: RabbitOptions = {}): ResolvedRabbitOptions {
  checkOptions('A broker', options, RABBIT_OPTION_RULES);
  const kafka = resolveKafkaOptions(options.kafka, below.kafka);
  const defaults = defaultOptions();
  const resolved = mergeOptions<object>(defaults, below, rabbitOptionsOf(options), { kafka }) as ResolvedRabbitOptions;
  // What inflates to more than we would take ourselves is not sent.
  if (resolved.kombuCompression) {
    resolved.maxOutgoingMessageBytes = Math.min(resolved.maxOutgoingMessageBytes, resolved.maxInflatedBytes);
  }
  refuseConflicts(resolved);
  return hiding(['sslKey', 'sslKeyPassphrase'], resolved);
}

/** @throws ConfigurationError options that exclude each other, with where each of them stands */
function refuseConflicts(options: ResolvedRabbitOptions): void {
  const label = (name: keyof RabbitOptions): string => labelOf<RabbitOptions>(options, name);
  const quorum = (['rabbitQuorumQueue', 'rabbitTransientQuorumQueue'] as const).find((name) => options[name]);
  // The broker closes the channel over the argument of a consumer.
  const mirrored = (['rabbitHaQueues', 'enableCancelOnFailover'] as const).find((name) => options[name]);
  if (mirrored && quorum) {
    throw new ConfigurationError(
      `Option ${label(mirrored)} is true, and so is ${label(quorum)}: a quorum queue is no mirrored queue; set one of them`,
      true,
    );
  }
  if (!options.rabbitStreamFanout) return;
  if (!options.rabbitTransientQuorumQueue) {
    const needed = spelledLike<RabbitOptions>(options, 'rabbitStreamFanout', 'rabbitTransientQuorumQueue');
    throw new ConfigurationError(`Option ${label('rabbitStreamFanout')} is true, and needs ${needed} to be true`, true);
  }
  if (options.rabbitQosPrefetchCount === 0) {
    throw new ConfigurationError(
      `Option ${label('rabbitQosPrefetchCount')} must be above 0, not 0, as ${label('rabbitStreamFanout')} is true`,
      0,
    );
  }
}

function defaultOptions(): Omit<ResolvedRabbitOptions, 'kafka'> {
  return {
    amqpDurableQueues: false,
    amqpAutoDelete: false,
    rabbitQuorumQueue: false,
    rabbitTransientQuorumQueue: false,
    rabbitTransientQueuesTtl: 1800,
    rabbitQuorumDeliveryLimit: 0,
    rabbitQuorumMaxMemoryLength: 0,
    rabbitQuorumMaxMemoryBytes: 0,
    heartbeatTimeoutThreshold: 60,
    kombuMissingConsumerRetryTimeout: 60,
    kombuFailoverStrategy: 'round-robin',
    legacyBareMessages: false,
    legacyReplyExchange: false,
    rabbitHaQueues: false,
    rabbitStreamFanout: false,
    useQueueManager: false,
    enableCancelOnFailover: false,
    rabbitLoginMethod: 'AMQPLAIN',
    ssl: false,
    sslEnforceHostnameVerification: true,
    sslVerify: true,
    sslEnforceFipsMode: false,
    livenessTimeoutMs: 5000,
    consumerCheckIntervalMs: 30_000,
    maxInFlightMessages: 10_000,
    maxInFlightBytes: Math.min(64 * 1024 * 1024, heapShare(8)),
    maxPendingCalls: 50_000,
    republishUnconfirmed: true,
    maxMessageBytes: 16 * 1024 * 1024,
    maxInflatedBytes: 8 * 1024 * 1024,
    // As an object takes some 64 bytes.
    maxMessageValues: Math.min(1_000_000, heapShare(256)),
    maxHeldBytes: Math.min(128 * 1024 * 1024, heapShare(4)),
    // Larger ones we would not read ourselves.
    maxOutgoingMessageBytes: 16 * 1024 * 1024,
    connectionName: `${basename(process.argv[1] ?? 'node')}:${process.pid}:${crypto.randomUUID()}`,
  };
}

/** Requests and notifications together take two such shares. */
function heapShare(parts: number): number {
  return Math.floor(v8.getHeapStatistics().heap_size_limit / parts);
}

/** Those that are set: undefined is not set, and what is no option of the bus is left to others. */
export function rabbitOptionsOf(options: RabbitOptions): RabbitOptions {
  return pickOptions(options, RABBIT_OPTION_RULES);
}
