import { deflateSync, inflateSync } from 'node:zlib';
import amqp, { type Channel, type ChannelModel } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type IncomingRequest,
  MessageDeliveryFailure,
  MessageUndeliverable,
  MessagingTimeout,
  NotifierCore,
  PreconditionFailed,
  RpcClient,
  RpcServer,
} from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { wireFormats } from '../../support/wire-format.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
// Registered first, it runs last: a broker that is open would make its queues again.
afterEach(async () => {
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor' };
let proxy: AmqpProxy;
let foreign: ChannelModel;
let channel: Channel;

beforeAll(async () => {
  foreign = await amqp.connect(vhost.amqpUrl);
});
afterAll(() => foreign.close());
beforeEach(async () => {
  proxy = await AmqpProxy.start(vhost.address);
  channel = await foreign.createChannel();
});
afterEach(async () => {
  await proxy.close();
  await channel.close();
});

/** A body as Python writes it. */
function sealed(message: object): Buffer {
  return Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) }));
}

const python = { contentType: 'application/json', contentEncoding: 'utf-8' };

// TestRequestWireFormat and TestReplyWireFormat with gzip_compression.
describe('with kombu_compression = gzip', () => {
  it.each(wireFormats)('a request is a zlib stream with the same content: %s', async (_name, format) => {
    const broker = brokers.open(vhost.urlVia(proxy), { kombuCompression: 'gzip' });
    await new RpcClient(broker, format.target).cast('foo', format.args, { context: format.context });
    const [sent] = proxy.sent('BasicPublish');
    expect(sent!.properties!['headers']).toEqual({ compression: 'application/x-gzip' });
    const envelope = JSON.parse(inflateSync(sent!.body!).toString()) as Record<string, string>;
    expect(envelope['oslo.version']).toBe('2.0');
    expect(JSON.parse(envelope['oslo.message']!)).toEqual({
      method: 'foo',
      args: format.args,
      ...format.packed,
      _unique_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it.each(wireFormats)(
    'a request that came so is understood, whatever our own option: %s',
    async (_name, { args, context, packed, exchange, routingKey }) => {
      const seen: IncomingRequest[] = [];
      const foo = (_args: object, request: IncomingRequest): void => void seen.push(request);
      const server = new RpcServer(brokers.open(vhost.url), { topic: 'testtopic', server: 'testserver' }, [
        { methods: { foo } },
      ]);
      await server.start();
      const body = sealed({ method: 'foo', args, ...packed, _unique_id: 'a'.repeat(32) });
      const headers = { compression: 'application/x-gzip' };
      channel.publish(exchange, routingKey, deflateSync(body), { ...python, headers });
      const request = await eventually(() => seen[0]);
      expect([request.args, request.requestContext]).toEqual([args, context]);
      await server.close();
    },
  );
});

// TestMsgIdCache.
it('a request that comes twice runs once; both are acknowledged, neither is rejected', async () => {
  let runs = 0;
  const server = new RpcServer(brokers.open(vhost.urlVia(proxy)), { ...target, server: 'host1' }, [
    { methods: { foo: () => void (runs += 1) } },
  ]);
  await server.start();
  const body = sealed({ method: 'foo', args: {}, _unique_id: 'a'.repeat(32) });
  for (let n = 0; n < 2; n += 1) channel.publish('nova', 'conductor', body, python);
  await eventually(() => server.counters.duplicates === 1);
  await eventually(async () => {
    const queue = await vhost.queue('conductor');
    return queue?.messagesReady === 0 && queue.messagesUnacknowledged === 0;
  });
  expect(runs).toBe(1);
  expect(proxy.sent('BasicReject', 'BasicNack')).toEqual([]);
  await server.close();
});

// TestRabbitPublisher.
describe('a publish', () => {
  it('of a call of 1 s expires after 1 s, that of a cast never; ours: both are mandatory, to notice a missing queue', async () => {
    const server = new RpcServer(brokers.open(vhost.url), { ...target, server: 'host1' }, [
      { methods: { foo: () => 'done' } },
    ]);
    await server.start();
    const client = new RpcClient(brokers.open(vhost.urlVia(proxy)), target);
    // From then on nothing has to be waited for before a call is published.
    await client.call('foo');
    proxy.clear();
    // It was published, answered in time or not.
    await client
      .prepare({ timeout: 1 })
      .call('foo')
      .catch((error: unknown) => expect(error).toBeInstanceOf(MessagingTimeout));
    await client.cast('foo');
    const [call, cast] = proxy.sent('BasicPublish');
    expect(call!.properties!['expiration']).toBe('1000');
    expect(cast!.properties).not.toHaveProperty('expiration');
    expect([call, cast].map((sent) => sent!.fields['mandatory'])).toEqual([true, true]);
    // Without at_least_once nobody is told of a queue that has never been there.
    await client.prepare({ server: 'absent' }).cast('foo');
    expect((await proxy.waitFor('broker', 'BasicReturn')).fields).toMatchObject({ routingKey: 'conductor.absent' });
    await client.close();
    await server.close();
  });

  it('of a notification declares its queue the first time, and again after the channel was reset', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const notifier = new NotifierCore(broker);
    const declared = (): unknown[] => proxy.sent('QueueDeclare').map(({ fields }) => fields['queue']);
    await notifier.info('a', {});
    await notifier.info('b', {});
    expect(declared()).toEqual(['notifications.info']);
    const bad = broker.publish({ exchange: 'nowhere', routingKey: 'a', body: '{}' });
    await expect(bad).rejects.toBeInstanceOf(MessageDeliveryFailure);
    await notifier.info('c', {});
    await notifier.info('d', {});
    expect(declared()).toEqual(['notifications.info', 'notifications.info']);
    expect((await vhost.queue('notifications.info'))?.messagesReady).toBe(4);
  });

  it('to an exchange that is not there fails, and says so', async () => {
    const broker = brokers.open(vhost.url);
    const sent = broker.publish({ exchange: 'nowhere', routingKey: 'a', body: '{}' });
    await expect(sent).rejects.toBeInstanceOf(MessageDeliveryFailure);
    await expect(sent).rejects.toThrow(/NOT_FOUND - no exchange 'nowhere'/);
  });

  it('ours: an exchange of ours that has gone is declared again, and the request is sent', async () => {
    const client = new RpcClient(brokers.open(vhost.urlVia(proxy)), target);
    await client.cast('foo');
    await channel.deleteExchange('nova');
    await client.cast('foo');
    expect(proxy.sent('ExchangeDeclare').map(({ fields }) => fields['exchange'])).toEqual(['nova', 'nova']);
    expect((await vhost.listExchanges()).map(({ name }) => name)).toContain('nova');
    await channel.deleteExchange('nova');
  });

  it('declares no exchange but its own kind: another type is PreconditionFailed, and nothing is sent', async () => {
    await channel.assertExchange('nova', 'direct', { durable: false });
    const client = new RpcClient(brokers.open(vhost.urlVia(proxy)), target);
    await expect(client.cast('foo')).rejects.toBeInstanceOf(PreconditionFailed);
    expect(proxy.sent('BasicPublish')).toEqual([]);
    await channel.deleteExchange('nova');
  });

  it('takes an exchange as it is that is not durable where it should be', async () => {
    await channel.assertExchange('nova', 'topic', { durable: false });
    await channel.assertQueue('conductor', { durable: false });
    await channel.bindQueue('conductor', 'nova', 'conductor');
    const broker = brokers.open(vhost.urlVia(proxy), { amqpDurableQueues: true });
    await new RpcClient(broker, target).cast('foo');
    expect(proxy.sent('BasicPublish').at(-1)!.fields).toMatchObject({ exchange: 'nova', routingKey: 'conductor' });
    expect((await vhost.queue('conductor'))?.messagesReady).toBe(1);
    expect(broker.reports('durability-mismatch')).toMatchObject([{ kind: 'exchange', name: 'nova' }]);
    await channel.deleteExchange('nova');
  });
});

// TestRabbitQos.
describe('the prefetch', () => {
  async function serving(rabbitQosPrefetchCount: number): Promise<unknown[]> {
    const broker = brokers.open(vhost.urlVia(proxy), { rabbitQosPrefetchCount });
    const server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods: {} }]);
    await server.start();
    await server.close();
    return proxy.sent('BasicQos').map(({ fields }) => fields);
  }

  it('is told where it is listened', async () => {
    expect(await serving(1)).toEqual([{ prefetchSize: 0, prefetchCount: 1, global: false }]);
  });

  it('is not told where it is 0', async () => {
    expect(await serving(0)).toEqual([]);
  });

  it('is not told by who only sends; ours: a basic.qos without a limit is a question whether the channel lives', async () => {
    const client = new RpcClient(brokers.open(vhost.urlVia(proxy), { rabbitQosPrefetchCount: 1 }), target);
    await client.cast('foo');
    expect(proxy.sent('BasicPublish')).toHaveLength(1);
    const limits = proxy.sent('BasicQos').map(({ fields }) => fields['prefetchCount']);
    expect(limits.filter((count) => count !== 0)).toEqual([]);
  });
});

// RpcKombuHATestCase.
describe('tries to reach the broker', () => {
  it.each([
    [4, 5],
    [1, 2],
    [0, 1],
  ])('retry %i: %i attempts, then MessageDeliveryFailure', async (retry, attempts) => {
    const nowhere = await AmqpProxy.start({ host: '127.0.0.1', port: 1 });
    const broker = brokers.open(vhost.urlVia(nowhere), { kombuReconnectDelay: 0 });
    const error: unknown = await new RpcClient(broker, target, { retry })
      .cast('foo')
      .catch((reason: unknown) => reason);
    expect(nowhere.accepted).toBe(attempts);
    expect(error).toBeInstanceOf(MessageDeliveryFailure);
    expect(error).toMatchObject({ attempts });
    await broker.close();
    await nowhere.close();
  });
});

// CallTestCase.test_mandatory_call.
describe('a call to a server that is not there', () => {
  it('times out', async () => {
    const client = new RpcClient(brokers.open(vhost.url), { ...target, server: 'absent' }, { timeout: 1 });
    await expect(client.call('delay')).rejects.toBeInstanceOf(MessagingTimeout);
    await client.close();
  });

  it('with at_least_once is MessageUndeliverable, long before its timeout', async () => {
    const options = { timeout: 60, transportOptions: { atLeastOnce: true } };
    const client = new RpcClient(brokers.open(vhost.url), { ...target, server: 'absent' }, options);
    const startedAt = performance.now();
    await expect(client.call('delay')).rejects.toBeInstanceOf(MessageUndeliverable);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    await client.close();
  });
});
