import v8 from 'node:v8';
import { describe, expect, it, vi } from 'vitest';
import { ConfigurationError, type RabbitOptions } from '../../../lib/index.js';

import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';

it('has the defaults of oslo.messaging for the options that mirror it', () => {
  expect(resolveRabbitOptions()).toMatchObject({
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
    rabbitLoginMethod: 'AMQPLAIN',
  });
});

it('holds what is in flight to an eighth of a small heap, and to 64 MiB', () => {
  const statistics = vi.spyOn(v8, 'getHeapStatistics');
  const bound = (heap: number): number => {
    statistics.mockReturnValue({ heap_size_limit: heap } as v8.HeapInfo);
    return resolveRabbitOptions().maxInFlightBytes;
  };
  expect([bound(80_000_000), bound(4_000_000_000)]).toEqual([10_000_000, 67_108_864]);
  statistics.mockRestore();
});

it('leaves unset what has a meaning of its own when it is unset', () => {
  const resolved = resolveRabbitOptions({ rabbitRetryBackoff: undefined });
  expect(resolved.rabbitQosPrefetchCount).toBeUndefined();
  expect(resolved.kombuReconnectDelay).toBeUndefined();
  expect(resolved.rabbitRetryBackoff).toBeUndefined();
});

it('names each connection apart', () => {
  const name = resolveRabbitOptions().connectionName;
  expect(name).toMatch(new RegExp(`^[^/:]+:${process.pid}:[0-9a-f-]{36}$`));
  expect(resolveRabbitOptions().connectionName).not.toBe(name);
});

it('takes what is given, and for undefined the default', () => {
  const resolved = resolveRabbitOptions({
    rabbitQosPrefetchCount: 0,
    livenessTimeoutMs: 7,
    maxMessageBytes: undefined,
  });
  expect(resolved).toMatchObject({ rabbitQosPrefetchCount: 0, livenessTimeoutMs: 7, maxMessageBytes: 16_777_216 });
});

describe('refuses, naming the option,', () => {
  it.each<[keyof RabbitOptions, unknown]>([
    ['amqpDurableQueues', 'true'],
    ['rabbitQuorumQueue', 1],
    ['rabbitQuorumQueue', null],
    ['rabbitTransientQueuesTtl', -1],
    ['rabbitQosPrefetchCount', 1.5],
    ['rabbitQosPrefetchCount', 65_536],
    ['heartbeatTimeoutThreshold', Number.NaN],
    ['rabbitRetryInterval', 0],
    ['rabbitRetryBackoff', -1],
    ['rabbitIntervalMax', 0],
    ['kombuReconnectDelay', 4.6],
    ['kombuReconnectDelay', '1'],
    ['kombuMissingConsumerRetryTimeout', Infinity],
    ['kombuFailoverStrategy', 'random'],
    ['rabbitLoginMethod', 'RABBIT-CR-DEMO'],
    ['livenessTimeoutMs', 2 ** 31],
    ['consumerCheckIntervalMs', 0],
    ['maxInFlightMessages', 0],
    ['maxInFlightBytes', 0],
    ['maxMessageBytes', 10n],
    ['maxOutgoingMessageBytes', 0],
    ['maxPendingCalls', 0.5],
    ['connectionName', 5],
  ])('%s: %s', (name, value) => {
    const resolve = () => resolveRabbitOptions({ [name]: value });
    expect(resolve).toThrow(ConfigurationError);
    expect(resolve).toThrow(name);
  });
});
