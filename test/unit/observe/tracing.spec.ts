import { SpanKind } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Broker,
  connectBroker,
  type IncomingNotification,
  NotificationListener,
  NotifierCore,
  RpcClient,
  RpcServer,
} from 'nestjs-oslo-messaging';
import { otelHook } from 'nestjs-oslo-messaging/opentelemetry';
import { createMemoryBus, type MemoryTestBus } from 'nestjs-oslo-messaging/testing';
import { eventually } from '../../support/eventually.js';
import { idsOf, isFailed, useSpans } from '../../support/spans.js';

const spans = useSpans();
const hooks = [otelHook({ tracerProvider: spans.provider })];
const target = { exchange: 'nova', topic: 'conductor' };

let bus: MemoryTestBus;
let broker: Broker;
let client: RpcClient;
let seen: Record<string, unknown>[];
beforeEach(async () => {
  bus = createMemoryBus();
  broker = await connectBroker(bus.url);
  seen = [];
  const methods = {
    ping: (_: unknown, { requestContext }: { requestContext: object }) => {
      seen.push({ ...requestContext });
      return 'pong';
    },
    later: async () => 'done',
    fail: () => {
      throw new RangeError('password=hush is too long');
    },
    hang: () => new Promise(() => undefined),
  };
  const endpoints = [{ namespace: 'base', version: '1.4', methods }, { methods }];
  await new RpcServer(broker, { ...target, server: 'host1' }, endpoints, { hooks, shutdownTimeoutMs: 1 }).start();
  client = new RpcClient(broker, target, { hooks });
});
afterEach(async () => {
  await client.close();
  await broker.close();
  await bus.close();
});

describe('the spans of a call', () => {
  it('are the sender’s until the answer, and the handler’s within it, in one trace', async () => {
    const request = { context: { request_id: 'req-1', user: 'u' } };
    await spans.inSpan('GET /', () => client.prepare({ namespace: 'base', version: '1.2' }).call('ping', {}, request));
    const [get, sent, handled] = ['GET /', 'base.ping send', 'base.ping receive'].map((name) => spans.named(name));
    expect(idsOf(sent!)).toMatchObject({ traceId: idsOf(get!).traceId, parent: idsOf(get!).spanId });
    expect(idsOf(handled!)).toMatchObject({ traceId: idsOf(get!).traceId, parent: idsOf(sent!).spanId });
    expect(spans.names).toEqual(['base.ping receive', 'base.ping send', 'GET /']);
    const common = {
      'messaging.system': 'rabbitmq',
      'messaging.destination.name': 'conductor',
      'messaging.message.id': expect.stringMatching(/^[0-9a-f]{32}$/),
      'messaging.message.conversation_id': 'req-1',
      'openstack.request_id': 'req-1',
      'oslo_messaging.target.exchange': 'nova',
      'rpc.system': 'oslo.messaging',
      'rpc.method': 'ping',
      'rpc.service': 'base',
    };
    const of = (operation: string): object => ({
      'messaging.operation': operation,
      'messaging.operation.name': operation,
    });
    expect(sent).toMatchObject({ kind: SpanKind.PRODUCER, status: { code: 0 } });
    expect(sent!.attributes).toEqual({ ...common, ...of('call') });
    expect(handled).toMatchObject({ kind: SpanKind.CONSUMER, status: { code: 0 } });
    expect(handled!.attributes).toEqual({ ...common, ...of('receive'), 'oslo_messaging.target.server': 'host1' });
  });

  it('travel as traceparent in the context', async () => {
    await client.call('ping', {}, { context: { user: 'u' } });
    const { traceId, spanId } = idsOf(spans.named('ping send'));
    expect(seen).toEqual([{ user: 'u', traceparent: `00-${traceId}-${spanId}-01` }]);
  });

  it('replace the trace of a context that is sent on, tracestate included', async () => {
    const old = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=1' };
    await client.call('ping', {}, { context: old });
    const { traceId, spanId } = idsOf(spans.named('ping send'));
    expect(seen).toEqual([{ traceparent: `00-${traceId}-${spanId}-01` }]);
  });

  it('say what failed, without secrets', async () => {
    await expect(client.call('fail')).rejects.toThrow(/ValueError/);
    const [handled, sent] = ['fail receive', 'fail send'].map((name) => spans.named(name));
    expect([handled, sent].map((span) => isFailed(span!))).toEqual([true, true]);
    expect(handled!.attributes['error.type']).toBe('RangeError');
    // Which Python class it is, the answer says.
    expect(sent!.attributes['error.type']).toBe('ValueError');
    expect(handled!.events).toMatchObject([{ name: 'exception', attributes: { 'exception.type': 'RangeError' } }]);
    const told = JSON.stringify([handled, sent].map((span) => [span!.events, span!.status]));
    expect(told).not.toContain('hush');
  });

  it('say why a call timed out', async () => {
    await expect(client.prepare({ timeout: 1 }).call('hang')).rejects.toThrow(/timed out/);
    const sent = spans.named('hang send');
    expect(sent.attributes['error.type']).toBe('MessagingTimeout');
    expect(sent.attributes['oslo_messaging.timeout.reason']).toMatch(/^(not-answered|unknown)$/);
    expect(isFailed(sent)).toBe(true);
  });

  it('of a promise last until it is settled', async () => {
    await client.call('later');
    expect(spans.names).toEqual(['later receive', 'later send']);
  });
});

describe('the spans of a cast and a fanout', () => {
  it.each(['cast', 'fanout'] as const)('%s: one for the request, one for the handler', async (kind) => {
    await client[kind]('ping');
    await eventually(() => spans.ended.length === 2);
    const [sent, handled] = ['ping send', 'ping receive'].map((name) => spans.named(name));
    expect(sent!.attributes['messaging.operation']).toBe('cast');
    expect(idsOf(handled!)).toMatchObject({ traceId: idsOf(sent!).traceId, parent: idsOf(sent!).spanId });
  });
});

describe('the spans of notifications', () => {
  async function listen(batch?: { size: number }): Promise<IncomingNotification[]> {
    const heard: IncomingNotification[] = [];
    const single = { priorities: 'info', handler: (one: IncomingNotification) => void heard.push(one) } as const;
    const many = {
      priorities: 'info',
      handler: (all: readonly IncomingNotification[]) => void heard.push(...all),
    } as const;
    const registration = batch ? { ...many, batch } : single;
    await new NotificationListener(broker, [registration], { exchange: 'nova', hooks }).start();
    return heard;
  }
  const notifier = (): NotifierCore =>
    new NotifierCore(broker, { exchange: 'nova', publisherId: 'compute.host1', hooks });

  it('are the sender’s and the listener’s, in one trace', async () => {
    const heard = await listen();
    await notifier().info('compute.instance.create', { id: 1 }, { context: { request_id: 'req-2' } });
    await eventually(() => spans.ended.length === 2);
    const [sent, received] = ['send', 'receive'].map((end) => spans.named(`compute.instance.create ${end}`));
    expect(idsOf(received!)).toMatchObject({ traceId: idsOf(sent!).traceId, parent: idsOf(sent!).spanId });
    expect(sent!.attributes).toEqual({
      'messaging.system': 'rabbitmq',
      'messaging.operation': 'send',
      'messaging.operation.name': 'send',
      'messaging.destination.name': 'notifications',
      'messaging.message.id': heard[0]!.messageId,
      'messaging.message.conversation_id': 'req-2',
      'openstack.request_id': 'req-2',
      'oslo_messaging.target.exchange': 'nova',
      'oslo_messaging.notification.event_type': 'compute.instance.create',
      'oslo_messaging.notification.priority': 'info',
      'oslo_messaging.notification.publisher_id': 'compute.host1',
    });
  });

  it('link a batch to each of its senders', async () => {
    await listen({ size: 2 });
    await Promise.all([notifier().info('a', {}), notifier().info('b', {})]);
    await eventually(() => spans.ended.length === 3);
    const received = spans.named('notifications receive');
    const senders = ['a send', 'b send'].map((name) => spans.named(name).spanContext().spanId);
    expect(received.links.map(({ context }) => context.spanId).toSorted()).toEqual(senders.toSorted());
    expect(received.parentSpanContext).toBeUndefined();
    expect(received.attributes['messaging.batch.message_count']).toBe(2);
  });
});

describe('what a peer may send', () => {
  it.each([
    ['an object', { traceparent: { a: 1 }, tracestate: ['x'], baggage: 7 }],
    ['a list', { traceparent: ['00-1'], baggage: { a: 1 } }],
    ['nonsense', { traceparent: 'nonsense' }],
    ['a carrier that is none', { _otel_context: 'text' }],
  ])('%s for a trace begins a new one', async (_, context) => {
    const untraced = new RpcClient(broker, target);
    expect(await untraced.call('ping', {}, { context })).toBe('pong');
    expect(spans.named('ping receive').parentSpanContext).toBeUndefined();
    await untraced.close();
  });

  it('a carrier of its own in the context is read', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const untraced = new RpcClient(broker, target);
    await untraced.call('ping', {}, { context: { _otel_context: { traceparent } } });
    expect(idsOf(spans.named('ping receive'))).toMatchObject({ traceId: 'a'.repeat(32), parent: 'b'.repeat(16) });
    await untraced.close();
  });
});

describe('osprofiler’s keys', () => {
  it('go through a traced handler and on as they came', async () => {
    const trace_info = { hmac_key: 'SECRET_KEY', base_id: 'a1', parent_id: 'b2' };
    await client.call('ping', {}, { context: { trace_info } });
    expect(seen).toMatchObject([{ trace_info }]);
  });
});

it('without a provider the context goes on as it came', async () => {
  const plain = new RpcClient(broker, target, { hooks: [otelHook()] });
  const context = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=1' };
  await plain.call('ping', {}, { context });
  expect(seen).toEqual([context]);
  await plain.close();
});
