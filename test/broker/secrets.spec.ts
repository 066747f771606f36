import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import amqp from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  connectBroker,
  NotificationModule,
  Notifier,
  OnNotification,
  OsloMessagingError,
  OsloRpcContext,
  OsloRpcModule,
  RpcClient,
  RpcServer,
  ServerOsloRpc,
} from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { Evidence } from '../support/evidence.js';
import { sharedRabbit, useVhost } from '../support/rabbit.js';

const USER = `keeper-of-secrets-${process.pid}`;
const PASSWORD = 'S3cr3t/@:pw,1';
const WRONG = 'Wr0ng:S3cr3t@2';
const TOKEN = 'gAAAAABtoken-S3cr3t-3';
const ADMIN_PASS = 'adm1n-S3cr3t-4';
const SECRETS = [PASSWORD, WRONG]
  .flatMap((secret) => [secret, encodeURIComponent(secret), 'S3cr3t'])
  .concat(TOKEN, ADMIN_PASS);
const CONTEXT = { user: 'demo', auth_token: TOKEN };
const TARGET = { exchange: 'nova', topic: 'conductor' };

// A call that timed out leaves its reply queue to whoever still answers.
const vhost = useVhost({ mayLeave: /^reply_/ });
const evidence = new Evidence();
let stopWatching: () => void;

beforeAll(async () => {
  const { admin } = sharedRabbit();
  await admin.addUser(USER, PASSWORD);
  await admin.evaluate(`rabbit_auth_backend_internal:set_permissions(<<"${USER}">>, <<"${vhost.name}">>, <<".*">>,
    <<".*">>, <<".*">>, <<"test">>), true`);
  stopWatching = evidence.watchOutputs();
});
afterAll(async () => {
  stopWatching?.();
  await sharedRabbit().admin.evaluate(`rabbit_auth_backend_internal:delete_user(<<"${USER}">>, <<"test">>), true`);
});

function urlWith(password: string, { vhostName = vhost.name, query = '' } = {}): string {
  const { host, port } = vhost.address;
  return `rabbit://${USER}:${encodeURIComponent(password)}@${host}:${port}/${vhostName}${query}`;
}

@Controller()
class Conductor {
  @MessagePattern('fail')
  fail(@Payload() _args: object, @Ctx() _context: OsloRpcContext): never {
    throw new Error('it failed as it was meant to');
  }
}

@Injectable()
class Audit {
  @OnNotification('info', { exchange: 'nova' })
  fail(@Payload() _payload: object): never {
    throw new Error('a listener failed as it was meant to');
  }
}

@Module({})
class EmptyModule {}

async function startApp() {
  @Module({
    imports: [
      OsloRpcModule.forRoot(),
      NotificationModule.forRoot({
        transportUrl: urlWith(PASSWORD),
        exchange: 'nova',
        publisherId: 'x',
        driver: ['messagingv2', 'log'],
      }),
    ],
    controllers: [Conductor],
    providers: [Audit],
  })
  class AppModule {}
  const strategy = new ServerOsloRpc({ ...TARGET, transportUrl: urlWith(PASSWORD) });
  strategy.events.subscribe(evidence.event);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    strategy,
    logger: evidence.logger,
  });
  await app.listen();
  return { app };
}

it('connecting tells no password, whatever goes wrong', async () => {
  const closed = urlWith(PASSWORD).replace(/:\d+\/test/, ':1/test');
  for (const url of [urlWith(WRONG), urlWith(PASSWORD, { vhostName: 'no-such-vhost' }), closed]) {
    expect(await evidence.ofRejection(connectBroker(url, { startupTimeoutMs: 0 }))).toBeInstanceOf(OsloMessagingError);
    const strategy = new ServerOsloRpc({ ...TARGET, transportUrl: url, startup: 'fail-fast' });
    strategy.events.subscribe(evidence.event);
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(EmptyModule, {
      strategy,
      logger: evidence.logger,
      abortOnError: false,
    });
    await evidence.ofRejection(app.listen());
    await app.close();
  }
  for (const url of [
    urlWith(PASSWORD, { query: '?rabbit_quorum_queue=maybe' }),
    urlWith(PASSWORD, { query: '?no_such_option=1' }),
    `kafka+ssl://${USER}:${PASSWORD}@host/`,
    `${USER}:${PASSWORD}@host:port/`,
    `rabbit://${USER}:${PASSWORD}@host:port/`,
  ]) {
    expect(await evidence.ofRejection(connectBroker(url))).toBeInstanceOf(OsloMessagingError);
  }
});

it('calls tell no token, whatever goes wrong', async () => {
  const broker = await connectBroker(urlWith(PASSWORD), { maxOutgoingMessageBytes: 2000 });
  broker.events.subscribe(evidence.event);
  const { app } = await startApp();
  const client = new RpcClient(
    broker,
    { ...TARGET, version: '1.0' },
    { timeout: 5, defaultContext: () => CONTEXT, versionCap: '1.0' },
  );
  const args = { admin_pass: ADMIN_PASS, url: urlWith(PASSWORD) };
  const names: string[] = [];
  const fails = async (sent: Promise<unknown>): Promise<void> => {
    names.push(((await evidence.ofRejection(sent)) as Error).name);
  };
  const circular: Record<string, unknown> = { ...args };
  circular['self'] = circular;
  await fails(client.call('fail', args));
  await fails(client.call('no_such_method', args));
  await fails(client.prepare({ version: '2.0' }).call('fail', args));
  await fails(client.call('fail', circular));
  await fails(client.call('fail', { ...args, long: 'x'.repeat(3000) }));
  await fails(client.prepare({ topic: 'nobody', transportOptions: { atLeastOnce: true } }).call('x', args));
  await fails(client.prepare({ topic: 'nobody', timeout: 0.2 }).call('x', args));
  await fails(client.prepare({ topic: 'nobody', transportOptions: { atLeastOnce: true } }).cast('x', args));
  const late = client.prepare({ topic: 'late' });
  void late.call('x', args).catch(evidence.error.bind(evidence));
  expect(names).toEqual([
    'RemoteError',
    'NoSuchMethod',
    'RpcVersionCapError',
    'MalformedMessage',
    'MalformedMessage',
    'MessageUndeliverable',
    'MessagingTimeout',
    'MessageUndeliverable',
  ]);
  await app.close();
  await client.close();
  await broker.close();
});

it('a handler that puts secrets into its error is masked in our events', async () => {
  const broker = await connectBroker(urlWith(PASSWORD));
  broker.events.subscribe(evidence.event);
  const fail = (): never => {
    throw new Error(`no connection to ${urlWith(PASSWORD)} with {"auth_token": "${TOKEN}"}`);
  };
  const server = new RpcServer(broker, { ...TARGET, topic: 'leaky', server: 'host1' }, [{ methods: { fail } }]);
  await server.start();
  const client = new RpcClient(broker, { ...TARGET, topic: 'leaky' }, { timeout: 5 });
  // The caller is told what the handler said: that is what an exception is for.
  await expect(client.call('fail')).rejects.toThrow('no connection');
  await client.close();
  await server.close();
  await broker.close();
});

it('bodies that cannot be understood tell no token', async () => {
  const { app } = await startApp();
  const broker = await connectBroker(urlWith(PASSWORD));
  const events: string[] = [];
  broker.events.subscribe(evidence.event);
  broker.events.subscribe(({ type }) => void events.push(type));
  const client = new RpcClient(broker, TARGET, { timeout: 5, defaultContext: () => CONTEXT });
  await client.call('fail').catch(() => undefined);
  const inner = JSON.stringify({
    _context_auth_token: TOKEN,
    admin_pass: ADMIN_PASS,
    url: urlWith(PASSWORD),
    method: 7,
  });
  const sealed = (text: string): string => JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': text });
  const bodies = [
    inner,
    sealed(inner),
    sealed(inner.slice(0, -1)),
    inner.slice(0, 60),
    sealed(inner).slice(5),
    `[${inner}]`,
  ];
  const connection = await amqp.connect(vhost.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const before = evidence.texts.length;
  for (const [exchange, key] of [
    ['nova', 'conductor'],
    ['', client.replyQueue],
    ['nova', 'notifications.info'],
  ] as const) {
    for (const body of bodies) channel.publish(exchange, key, Buffer.from(body), { contentType: 'application/json' });
    channel.publish(exchange, key, Buffer.from(inner), { contentType: `application/x; password=${ADMIN_PASS}` });
    channel.publish(exchange, key, Buffer.from(inner), { headers: { compression: `password=${ADMIN_PASS}` } });
  }
  await channel.waitForConfirms();
  await eventually(() => evidence.texts.slice(before).join('\n').split('Rejected a message of').length > 10);
  await eventually(async () => (await vhost.queue('notifications.info'))?.messagesReady === 0);
  await connection.close();
  await client.close();
  await broker.close();
  await app.close();
});

it('notifications tell no token', async () => {
  const { app } = await startApp();
  const notifier = app.get(Notifier);
  const payload = { admin_pass: ADMIN_PASS, nested: { password: PASSWORD, url: urlWith(PASSWORD) } };
  await notifier.info('instance.create', payload, { context: CONTEXT });
  await eventually(() => evidence.texts.some((text) => text.includes('a listener failed as it was meant to')));
  const circular: Record<string, unknown> = { ...payload };
  circular['self'] = circular;
  await evidence.ofRejection(notifier.error('x', circular, { context: CONTEXT }));
  await app.close();
});

it('so none of it is found in anything that was written, reported or thrown', () => {
  const all = evidence.texts;
  // A look at the right place: these have to be there.
  for (const known of [
    'ACCESS_REFUSED',
    'no-such-vhost',
    'ECONNREFUSED',
    'instance.create',
    'it failed as it was meant to',
    'nobody',
  ]) {
    expect(
      all.some((text) => text.includes(known)),
      known,
    ).toBe(true);
  }
  const found = all.filter((text) => SECRETS.some((secret) => text?.includes(secret)));
  expect(found.map((text) => text.slice(0, 1500))).toEqual([]);
});
