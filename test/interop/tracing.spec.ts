import type { INestApplicationContext, INestMicroservice } from '@nestjs/common';
import { Controller, Module } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  getOsloClientToken,
  NotificationModule,
  type OsloClient,
  OnNotification,
  OsloEndpoint,
  OsloMethod,
  OsloRpcContext,
  OsloRpcModule,
  ServerOsloRpc,
} from 'nestjs-oslo-messaging';
import { otelHook } from 'nestjs-oslo-messaging/opentelemetry';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { idsOf, useSpans } from '../support/spans.js';
import { PythonLines } from './support/python-lines.js';

interface PythonSpan {
  name: string;
  kind: string;
  traceId: string;
  spanId: string;
  parent: string | null;
  attributes: Record<string, unknown>;
}

// Python leaves its reply queues to expire.
const vhost = useVhost({ mayLeave: /^reply_/ });
const spans = useSpans();
const hooks = [otelHook({ tracerProvider: spans.provider })];
const contexts: object[] = [];

@OsloEndpoint()
class EchoEndpoint {
  @OsloMethod()
  echo(@Payload() { text }: { text: string }, @Ctx() context: OsloRpcContext): string {
    contexts.push(context.requestContext);
    return `echo ${text}`;
  }
}

@Controller()
class Listener {
  @OnNotification('info')
  heard(): void {}
}

/** Each of Python's ways has names of its own, which ours are compared with. */
const ways = [
  { way: 'built-in', server: 'forward receive', onward: 'nest.echo', notifies: false },
  { way: 'instrumentation', server: 'forward receive', onward: 'echo send', notifies: true },
];

describe.each(ways)('with tracing by the $way of oslo.messaging 18.3.1', ({ way, server, onward, notifies }) => {
  let python: PythonLines<{ span?: PythonSpan; ready?: true }>;
  let service: INestMicroservice;
  let caller: INestApplicationContext;

  beforeAll(async () => {
    const transportUrl = vhost.url;
    @Module({
      imports: [NotificationModule.forRoot({ transportUrl, hooks })],
      controllers: [EchoEndpoint, Listener],
    })
    class Service {}
    @Module({
      imports: [
        OsloRpcModule.forRoot({ transportUrl, exchange: 'nova', hooks }),
        OsloRpcModule.forFeature([{ name: 'python', topic: 'python' }]),
      ],
    })
    class Caller {}
    const strategy = new ServerOsloRpc({ transportUrl, exchange: 'nova', topic: 'nest', server: 'nest1', hooks });
    service = await NestFactory.createMicroservice(Service, { strategy, logger: false });
    await service.listen();
    caller = await NestFactory.createApplicationContext(Caller, { logger: false });
    const given = { url: transportUrl, exchange: 'nova', topic: 'python', next: 'nest', way };
    python = await PythonLines.start('18.3.1-traced', 'traced_peer.py', given);
  });
  afterAll(async () => {
    await caller.close();
    await python.close();
    await service.close();
  });

  const pythonSpan = async (name: string): Promise<PythonSpan> =>
    (await python.told((line) => line.span?.name === name)).span!;

  it('one trace goes from Nest through Python to Nest, and osprofiler’s keys with it', async () => {
    const trace_info = { hmac_key: 'SECRET_KEY', base_id: 'a1', parent_id: 'b2' };
    const context = { request_id: 'req-1', trace_info };
    const client = caller.get<OsloClient>(getOsloClientToken('python'));
    contexts.length = 0;
    expect(await spans.inSpan('GET /', () => client.call('forward', { text: 'hi' }, { context }))).toBe('echo hi');
    expect(contexts).toMatchObject([{ request_id: 'req-1', trace_info }]);
    const [first, second] = [idsOf(spans.named('forward send')), idsOf(spans.named('echo receive'))];
    const [received, sentOn] = [await pythonSpan(server), await pythonSpan(onward)];
    const { traceId } = first;
    expect(received).toMatchObject({ traceId, parent: first.spanId, kind: 'CONSUMER' });
    expect(sentOn).toMatchObject({ traceId, parent: received.spanId, kind: 'PRODUCER' });
    expect(second).toMatchObject({ traceId, parent: sentOn.spanId });
    expect(idsOf(spans.named('GET /')).traceId).toBe(traceId);
  });

  it('our spans have what Python’s have', async () => {
    const [received, sentOn] = [await pythonSpan(server), await pythonSpan(onward)];
    const ours = (name: string): Record<string, unknown> => ({ ...spans.kept.get(name)!.attributes });
    const { 'messaging.message.id': id, ...handled } = received.attributes;
    expect(id ?? ours('forward send')['messaging.message.id']).toBe(ours('forward send')['messaging.message.id']);
    expect(ours('echo receive')).toMatchObject({ ...handled, 'rpc.method': 'echo' });
    const { 'messaging.destination.name': topic, ...sent } = sentOn.attributes;
    expect(topic).toBe('nest');
    expect(ours('forward send')).toMatchObject({ ...sent, 'rpc.method': 'forward' });
  });

  it('what Python notifies of is heard in its trace, where Python tells of it', async () => {
    const heard = await eventually(() => spans.kept.get('python.forwarded receive'), 'the notification');
    if (!notifies) {
      // The built-in tracing leaves notifications out, and the notifier sends on no key that it does not know.
      expect(idsOf(heard).parent).toBeUndefined();
      return;
    }
    const sent = await pythonSpan('python.forwarded send');
    expect(idsOf(heard)).toMatchObject({ traceId: sent.traceId, parent: sent.spanId });
    const { 'messaging.operation': _, 'messaging.operation.name': __, ...rest } = sent.attributes;
    const { 'messaging.destination.name': ___, ...common } = rest;
    expect(heard.attributes).toMatchObject({ ...common, 'oslo_messaging.notification.priority': 'info' });
  });
});
