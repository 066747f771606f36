import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../lib/index.js';

import { parseTransportUrl } from '../../../lib/config/transport-url.js';
import { rabbitOptionsFromUrl } from '../../../lib/config/oslo-rabbit-options.js';

it('reads options by their oslo names', () => {
  const { query } = parseTransportUrl(
    'rabbit://h/?rabbit_quorum_queue=yes&heartbeat_timeout_threshold=30&kombu_reconnect_delay=.5' +
      '&kombu_failover_strategy=shuffle&rabbit_login_method=PLAIN&rabbit_quorum_delivery_limit=-1',
  );
  expect(rabbitOptionsFromUrl({ query })).toEqual({
    rabbitQuorumQueue: true,
    heartbeatTimeoutThreshold: 30,
    kombuReconnectDelay: 0.5,
    kombuFailoverStrategy: 'shuffle',
    rabbitLoginMethod: 'PLAIN',
    rabbitQuorumDeliveryLimit: -1,
  });
});

it('gives nothing for no query', () => {
  expect(rabbitOptionsFromUrl({ query: {} })).toEqual({});
});

// The words of oslo.config's Boolean type.
it.each([
  ['true', true],
  ['TRUE', true],
  ['1', true],
  ['on', true],
  ['yes', true],
  ['False', false],
  ['0', false],
  ['off', false],
  ['no', false],
])('reads %s as %s', (text, value) => {
  expect(rabbitOptionsFromUrl({ query: { amqp_durable_queues: text } })).toEqual({ amqpDurableQueues: value });
});

it('reads TLS from the scheme and the query', () => {
  const { query, ssl } = parseTransportUrl('rabbit+ssl://h/?ssl_ca_file=/etc/ca.pem&ssl_version=tlsv1_2');
  expect(rabbitOptionsFromUrl({ query, ssl })).toEqual({ ssl: true, sslCaFile: '/etc/ca.pem', sslVersion: 'tlsv1_2' });
  expect(rabbitOptionsFromUrl(parseTransportUrl('rabbit://h/?ssl=0'))).toEqual({ ssl: false });
});

// What kombu knows by these names, with the packages for them; lzma is left out.
it.each(['gzip', 'zlib', 'bzip2', 'bzip', 'brotli', 'zstd', 'zstandard'])('takes kombu_compression=%s', (name) => {
  expect(rabbitOptionsFromUrl({ query: { kombu_compression: name } })).toEqual({ kombuCompression: name });
});

describe('refuses', () => {
  it.each([
    ['amqp_durable_queues', 'maybe'],
    ['amqp_durable_queues', 'true,false'],
    ['heartbeat_timeout_threshold', '1.5'],
    ['heartbeat_timeout_threshold', 'x'],
    ['heartbeat_timeout_threshold', '0x10'],
    ['rabbit_retry_interval', '0'],
    ['kombu_reconnect_delay', '5'],
    ['kombu_reconnect_delay', 'nan'],
    ['kombu_failover_strategy', 'random'],
    ['kombu_compression', 'lzma'],
    ['kombu_compression', 'xz'],
    ['no_such_option', '1'],
    ['amqpDurableQueues', 'true'],
    ['__proto__', '1'],
    ['constructor', '1'],
  ])('%s=%s', (name, text) => {
    const query = Object.fromEntries([[name, text]]);
    expect(() => rabbitOptionsFromUrl({ query })).toThrow(ConfigurationError);
    expect(() => rabbitOptionsFromUrl({ query })).toThrow(name);
  });
});

it.each([
  ['heartbeat_rate', '2'],
  ['rpc_conn_pool_size', '5'],
])('accepts %s=%s, which changes nothing', (name, text) => {
  expect(rabbitOptionsFromUrl({ query: { [name]: text } })).toEqual({});
});
