import { Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { INestApplication, INestMicroservice } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import {
  ClientOsloRpc,
  type ClientOsloRpcOptions,
  type MessagingEvent,
  OsloRpcModule,
  ServerOsloRpc,
  type ServerOsloRpcOptions,
} from '../../../lib/index.js';

/** A bus that no other test meets on. */
export function newBusUrl(): string {
  return `memory://test-${randomUUID()}`;
}

/** A root module made for one test. */
export function moduleOf(metadata: ModuleMetadata): Type {
  @Module(metadata)
  class AppModule {}
  return AppModule;
}

/** With `OsloRpcModule`, unless the test is about its absence. */
export function rootModule(
  controllers: Type[],
  { keeper = true, ...others }: ModuleMetadata & { keeper?: boolean } = {},
): Type {
  const imports = [...(others.imports ?? []), ...(keeper ? [OsloRpcModule.forRoot()] : [])];
  return moduleOf({ ...others, controllers, imports });
}

export function newServer(options: ServerOsloRpcOptions): ServerOsloRpc {
  const server = new ServerOsloRpc({ topic: 'conductor', logEvents: false, ...options });
  onTestFinished(() => server.close());
  return server;
}

export function newClient(options: ClientOsloRpcOptions): ClientOsloRpc {
  const client = new ClientOsloRpc({ topic: 'conductor', logEvents: false, timeout: 3, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Everything that is reported from now on. */
export function eventsOf(source: ClientOsloRpc | ServerOsloRpc): MessagingEvent[] {
  const events: MessagingEvent[] = [];
  source.events.subscribe((event) => events.push(event));
  return events;
}

export interface ServedApp {
  app: INestMicroservice;
  server: ServerOsloRpc;
  client: ClientOsloRpc;
  events: MessagingEvent[];
}

/** A standalone application that serves `module`, and a client of it. */
export async function serve(
  module: Type,
  options: ServerOsloRpcOptions = {},
  configure: (app: INestMicroservice) => void = () => undefined,
): Promise<ServedApp> {
  const transportUrl = options.transportUrl ?? newBusUrl();
  const server = newServer({ ...options, transportUrl });
  const events = eventsOf(server);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy: server, logger: false });
  onTestFinished(() => app.close());
  configure(app);
  await app.listen();
  return { app, server, client: newClient({ transportUrl }), events };
}

export interface HybridOptions {
  /** Microservices beside ours. */
  others?: MicroserviceOptions[];
  inheritAppConfig?: boolean;
  server?: ServerOsloRpcOptions;
}

export interface HybridApp extends Omit<ServedApp, 'app'> {
  app: INestApplication;
  url: string;
}

/** An HTTP application that also serves the bus; on its own configuration, unless it inherits that of its HTTP half. */
export async function startHybrid(
  root: Type,
  { inheritAppConfig = false, others = [], server: options = {} }: HybridOptions = {},
): Promise<HybridApp> {
  const transportUrl = options.transportUrl ?? newBusUrl();
  const server = newServer({ ...options, transportUrl });
  const events = eventsOf(server);
  const app = await NestFactory.create(root, { logger: false });
  onTestFinished(() => app.close());
  app.connectMicroservice<MicroserviceOptions>({ strategy: server }, { inheritAppConfig });
  for (const other of others) app.connectMicroservice<MicroserviceOptions>(other, { inheritAppConfig });
  await app.listen(0, '127.0.0.1');
  await app.startAllMicroservices();
  return { app, server, client: newClient({ transportUrl }), events, url: await app.getUrl() };
}
