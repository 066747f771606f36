import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busOptionsFromUrl, overBusOptions } from '../../../lib/config/bus-options.js';
import { resolveKafkaOptions } from '../../../lib/config/kafka-options.js';
import { loadOsloConfig } from '../../../lib/config/oslo-config/oslo-config.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { transportIdentity } from '../../../lib/config/transport-identity.js';
import { formatTransportUrl, parseRpcTransportUrl, parseTransportUrl } from '../../../lib/config/transport-url.js';
import { ConfigurationError, InvalidTransportUrl } from '../../../lib/errors/configuration.errors.js';

/** As kafka_driver/kafka_options.py of oslo.messaging 18.3.1 has them; there '' is what is not set. */
const PYTHON_DEFAULTS = {
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

const ALL_IN_PYTHON = {
  kafka_max_fetch_bytes: '2048',
  kafka_consumer_timeout: '2.5',
  consumer_group: 'audit',
  producer_batch_timeout: '0.05',
  producer_batch_size: '10',
  compression_codec: 'gzip',
  enable_auto_commit: 'yes',
  max_poll_records: '5',
  security_protocol: 'SASL_SSL',
  sasl_mechanism: 'SCRAM-SHA-256',
  ssl_cafile: '/etc/ca.pem',
  ssl_client_cert_file: '/etc/cert.pem',
  ssl_client_key_file: '/etc/key.pem',
  ssl_client_key_password: 'hunter2',
};
const ALL_HERE = {
  kafkaMaxFetchBytes: 2_048,
  kafkaConsumerTimeout: 2.5,
  consumerGroup: 'audit',
  producerBatchTimeout: 0.05,
  producerBatchSize: 10,
  compressionCodec: 'gzip',
  enableAutoCommit: true,
  maxPollRecords: 5,
  securityProtocol: 'SASL_SSL',
  saslMechanism: 'SCRAM-SHA-256',
  sslCafile: '/etc/ca.pem',
  sslClientCertFile: '/etc/cert.pem',
  sslClientKeyFile: '/etc/key.pem',
  sslClientKeyPassword: 'hunter2',
};

const query = (options: Record<string, string>): string => new URLSearchParams(options).toString();
const inUrl = (options: Record<string, string>) => busOptionsFromUrl(parseTransportUrl(`kafka://h/?${query(options)}`));

describe('options', () => {
  it("have Python's defaults", () => {
    expect(resolveKafkaOptions()).toEqual(PYTHON_DEFAULTS);
    expect(resolveRabbitOptions().kafka).toEqual(PYTHON_DEFAULTS);
  });

  it('are read from the URL by their oslo names', () => {
    expect(inUrl(ALL_IN_PYTHON)).toEqual({ kafka: ALL_HERE });
  });

  it('rule in code over those of the URL, one by one', () => {
    const below = inUrl({ consumer_group: 'of the URL', max_poll_records: '5' });
    const { kafka } = resolveRabbitOptions({ kafka: { consumerGroup: 'of the code' } }, below);
    expect(kafka).toMatchObject({ consumerGroup: 'of the code', maxPollRecords: 5 });
    expect(overBusOptions(below, { kafka: { consumerGroup: 'of the code' } }, {})).toEqual({
      kafka: { consumerGroup: 'of the code', maxPollRecords: 5 },
    });
  });

  it.each([
    [{ compression_codec: 'brotli' }, /compression_codec of the transport URL must be one of none, gzip, snappy/],
    [{ security_protocol: 'TLS' }, /security_protocol of the transport URL must be one of PLAINTEXT, SASL_PLAINTEXT/],
    [{ sasl_mechanism: 'GSSAPI' }, /sasl_mechanism of the transport URL must be one of PLAIN, SCRAM-SHA-256/],
    [{ max_poll_records: 'many' }, /max_poll_records of the transport URL must be an integer/],
    [{ enable_auto_commit: 'maybe' }, /enable_auto_commit of the transport URL must be true or false/],
    [{ consumer_groop: 'x' }, /no option 'consumer_groop': did you mean 'consumer_group'/],
    [{ rabbit_quorum_queue: 'true' }, /no option 'rabbit_quorum_queue'/],
  ])('of the URL are checked: %j', (options, message) => {
    expect(() => inUrl(options as Record<string, string>)).toThrow(ConfigurationError);
    expect(() => inUrl(options as Record<string, string>)).toThrow(message);
  });

  it.each([
    [{ maxPollRecords: 0 }, /Option maxPollRecords must be an integer/],
    [{ consumerGroup: '' }, /Option consumerGroup must be a string that is not empty/],
    [{ producerBatchTimeout: '1' }, /Option producerBatchTimeout must be a number/],
    [{ consumergroup: 'x' }, /Option kafka has no option 'consumergroup': did you mean 'consumerGroup'/],
  ])('in code are checked: %j', (kafka, message) => {
    expect(() => resolveRabbitOptions({ kafka: kafka as never })).toThrow(message);
  });

  it('show no password', () => {
    const resolved = resolveRabbitOptions({ kafka: { sslClientKeyPassword: 'hunter2' } });
    expect(resolved.kafka.sslClientKeyPassword).toBe('hunter2');
    expect(inspect(resolved, { depth: 5 }) + JSON.stringify(resolved)).not.toContain('hunter2');
    const { masked } = parseTransportUrl('kafka://u:geheim@h/?ssl_client_key_password=hunter2');
    expect(masked).not.toMatch(/hunter2|geheim/);
  });
});

describe('configuration files', () => {
  let directory: string;
  beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'oslo-kafka-conf-'))));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function load(text: string) {
    const file = join(directory, 'service.conf');
    writeFileSync(file, text);
    return loadOsloConfig(file);
  }

  it('[oslo_messaging_kafka] is read, whatever bus RPC has', () => {
    const lines = Object.entries(ALL_IN_PYTHON).map(([name, value]) => `${name} = ${value}`);
    const config = load(['[DEFAULT]', 'transport_url = rabbit://h/', '[oslo_messaging_kafka]', ...lines].join('\n'));
    expect(config.rabbit.kafka).toEqual(ALL_HERE);
    expect(config.notes).toEqual([]);
  });

  it('the query of the URL rules over them; an empty value is none; what nobody knows is noted', () => {
    const config = load(
      [
        '[DEFAULT]',
        'transport_url = kafka://h:9092,h2:9092/?consumer_group=url',
        '[oslo_messaging_kafka]',
        'consumer_group = file',
        'max_poll_records = 7',
        'ssl_cafile =',
        'conn_pool_min_size = 2',
      ].join('\n'),
    );
    expect(config.rabbit).toEqual({ kafka: { consumerGroup: 'url', maxPollRecords: 7 } });
    expect(config.notes).toEqual([expect.stringContaining('[oslo_messaging_kafka] conn_pool_min_size')]);
  });

  it('a wrong value names its place', () => {
    expect(() => load('[oslo_messaging_kafka]\nmax_poll_records = x')).toThrow(
      /max_poll_records in \[oslo_messaging_kafka\] of .*service\.conf must be an integer/,
    );
  });
});

describe('kafka:// URLs', () => {
  it('have hosts, a virtual host that may be missing, and the port 9092', () => {
    const { hosts, transport, virtualHost } = parseTransportUrl('kafka://u:p@k1,k2:29092/region1');
    expect({ hosts, transport, virtualHost }).toEqual({
      transport: 'kafka',
      virtualHost: 'region1',
      hosts: [
        { hostname: 'k1', port: 9092, username: 'u', password: 'p' },
        { hostname: 'k2', port: 29_092 },
      ],
    });
    expect(parseTransportUrl('kafka://').hosts).toEqual([{ hostname: 'localhost', port: 9092 }]);
    expect(parseTransportUrl('kafka://h/').virtualHost).toBe('/');
  });

  it('are written again as they were', () => {
    const url = 'kafka://k1:9092,k2:29092/region1?consumer_group=x';
    expect(formatTransportUrl(parseTransportUrl(url))).toBe(url);
    expect(transportIdentity(parseTransportUrl(url))).toBe('kafka://k1:9092,k2:29092/region1');
  });

  it('a scheme that would promise TLS is refused: Python talks plain text then', () => {
    expect(() => parseTransportUrl('kafka+ssl://h/')).toThrow(InvalidTransportUrl);
    expect(() => parseTransportUrl('kafka+ssl://h/')).toThrow(/security_protocol=SSL/);
  });

  it('are none for RPC', () => {
    expect(() => parseRpcTransportUrl('kafka://u:geheim@h/')).toThrow(ConfigurationError);
    expect(() => parseRpcTransportUrl('kafka://u:geheim@h/')).toThrow(/notifications alone/);
    expect(parseRpcTransportUrl('rabbit://h/').transport).toBe('rabbit');
  });
});
