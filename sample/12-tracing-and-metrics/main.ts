import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import {
  ExpectedExceptions,
  getOsloClientToken,
  NotificationModule,
  Notifier,
  OnNotification,
  OsloClient,
  OsloEndpoint,
  OsloMethod,
  OsloRpcModule,
  ServerOsloRpc,
} from 'nestjs-oslo-messaging';
import { otelHook } from 'nestjs-oslo-messaging/opentelemetry';
import { promMetrics } from 'nestjs-oslo-messaging/prometheus';
import { register } from 'prom-client';

const transportUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://';
// What an application does once. Here spans stay in memory; an exporter for OTLP sends them to Jaeger, Tempo and others.
const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
context.setGlobalContextManager(new AsyncLocalStorageContextManager());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

// One option for all: clients, servers, notifiers and listeners.
const hooks = [otelHook({ tracerProvider }), promMetrics({ processName: 'sample' })];

@OsloEndpoint()
class ImagesEndpoint {
  constructor(private readonly notifier: Notifier) {}

  @OsloMethod()
  @ExpectedExceptions(RangeError)
  async resize({ name }: { name: string }) {
    if (name === 'huge.png') throw new RangeError('too many pixels');
    await this.notifier.info('image.resize.end', { name });
    return `${name}, resized`;
  }
}

@Controller()
class Listener {
  @OnNotification('info')
  heard() {}
}

const rpc = [
  OsloRpcModule.forRoot({ transportUrl, hooks }),
  OsloRpcModule.forFeature([{ name: 'IMAGES', topic: 'images' }]),
];
@Module({ imports: [...rpc, NotificationModule.forRoot({ hooks })], controllers: [ImagesEndpoint, Listener] })
class AppModule {}

const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
  strategy: new ServerOsloRpc({ transportUrl, topic: 'images', server: 'host1', hooks, logEvents: false }),
  logger: ['error', 'warn'],
});
await app.listen();

const images = app.get<OsloClient>(getOsloClientToken('IMAGES'));
console.log(await images.call('resize', { name: 'sunset.png' }));
while (exporter.getFinishedSpans().length < 4) await new Promise((resolve) => setImmediate(resolve));
const traceId = exporter.getFinishedSpans()[0]?.spanContext().traceId;
for (const span of exporter.getFinishedSpans()) {
  console.log(`  ${span.spanContext().traceId === traceId ? 'the same trace' : 'another trace'}: ${span.name}`);
}

console.log(String(await images.call('resize', { name: 'huge.png' }).catch((error: unknown) => error)));
const scraped = (await register.metrics()).split('\n');
const isTold =
  /^(oslo_messaging_rpc_client_exception|oslo_messaging_rpc_server_invocation_end|nestjs_oslo_handler_slots\{)/;
for (const line of scraped.filter((each) => isTold.test(each))) console.log(line);
await app.close();
