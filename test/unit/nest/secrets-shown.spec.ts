import { inspect } from 'node:util';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, expect, it } from 'vitest';
import {
  ClientOsloRpc,
  connectBroker,
  createBroker,
  NotificationListener,
  NotificationListeners,
  NotificationModule,
  Notifier,
  NotifierCore,
  OsloClient,
  OsloRpcModule,
  RpcClient,
  RpcServer,
  ServerOsloRpc,
} from '../../../lib/index.js';

const secret = 's3cretPW';
const transportUrl = `rabbit://admin:${secret}@127.0.0.1:1,other:${secret}@127.0.0.1:2/review`;
const quiet = { transportUrl, logEvents: false, startup: 'background' } as const;

let closing: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(closing.map((each) => each.close()));
  closing = [];
});

function kept<T extends { close(): Promise<unknown> }>(subject: T): T {
  closing.push(subject);
  return subject;
}

function broker() {
  const made = kept(createBroker(transportUrl));
  made.events.subscribe(() => undefined);
  return made;
}

const target = { topic: 't', server: 's' };

/** Every public object that knows a URL, each with what it has made by now. */
const SUBJECTS: Readonly<Record<string, () => unknown>> = {
  Broker: broker,
  RpcClient: () => kept(new RpcClient(broker(), { topic: 't' })),
  RpcServer: () => kept(new RpcServer(broker(), target, [])),
  NotifierCore: () => kept(new NotifierCore(broker())),
  NotificationListener: () =>
    kept(new NotificationListener(broker(), [{ priorities: ['info'], handler: () => undefined }])),
  ClientOsloRpc: () => {
    const client = new ClientOsloRpc({ ...quiet, topic: 't' });
    client.send('m', {}).subscribe({ error: () => undefined });
    closing.push({ close: async () => client.close() });
    return client;
  },
  OsloClient: () => {
    const client = kept(new OsloClient({ ...quiet, topic: 't' }));
    client.call('m').catch(() => undefined);
    return client;
  },
  ServerOsloRpc: () => {
    const server = kept(new ServerOsloRpc({ ...quiet, topic: 't' }));
    server.listen(() => undefined);
    return server;
  },
  'OsloRpcModule.forRoot': () => OsloRpcModule.forRoot(quiet),
  'OsloRpcModule.forFeature': () => OsloRpcModule.forFeature([{ name: 'A', topic: 't', ...quiet }]),
  'NotificationModule.forRoot': () => NotificationModule.forRoot(quiet),
  'NotificationModule.forFeature': () => NotificationModule.forFeature([{ name: 'A', ...quiet }]),
};

function asJson(value: unknown): string {
  const seen = new WeakSet<object>();
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return String(part);
    if (typeof part !== 'object' || part === null) return part;
    if (seen.has(part)) return undefined;
    seen.add(part);
    return part instanceof Map || part instanceof Set ? [...part] : part;
  });
}

function expectNoSecret(subject: unknown): void {
  expect(inspect(subject, { depth: Infinity, maxStringLength: Infinity, maxArrayLength: Infinity })).not.toContain(
    secret,
  );
  expect(asJson(subject)).not.toContain(secret);
}

it.each(Object.keys(SUBJECTS))('%s shows no password', async (name) => {
  const subject = SUBJECTS[name]!();
  expectNoSecret(subject);
  // When it has tried to connect, too.
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expectNoSecret(subject);
});

it('nor do what a module makes, and errors', async () => {
  class App {}
  Module({
    imports: [
      OsloRpcModule.forRoot(quiet),
      OsloRpcModule.forFeature([{ name: 'A', topic: 't' }]),
      NotificationModule.forRoot(quiet),
    ],
  })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: false });
  for (const type of [Notifier, NotificationListeners]) expectNoSecret(app.get(type));
  await app.close();
  expectNoSecret(await connectBroker(transportUrl, { startupTimeoutMs: 0 }).catch((error: unknown) => error));
});
