import { Controller, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, MessagePattern, type MicroserviceOptions } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  ClientOsloRpc,
  getOsloClientToken,
  type OsloClient,
  OsloRpcModule,
  type OsloRpcModuleOptions,
  type ServerOsloRpcOptions,
} from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { useVhost } from '../../support/rabbit.js';
import { eventsOf, moduleOf, newServer, serve } from '../../unit/nest/nest-apps.js';

const vhost = useVhost();

@Controller()
class EchoController {
  @MessagePattern('echo')
  echo(args: object) {
    return args;
  }
}

function appModule(options: OsloRpcModuleOptions): Type {
  const quiet = { logEvents: false, timeout: 10, ...options };
  return moduleOf({
    controllers: [EchoController],
    imports: [
      OsloRpcModule.forRoot(quiet),
      OsloRpcModule.forFeature([{ name: 'A', topic: 'conductor' }]),
      OsloRpcModule.forFeature([{ name: 'B', topic: 'conductor' }]),
      ClientsModule.register([
        { name: 'PROXY', customClass: ClientOsloRpc, options: { ...quiet, topic: 'conductor' } },
      ]),
    ],
  });
}

describe('the connections of an application', () => {
  it('are two per URL, for its server and all its clients, and gone with it', async () => {
    const transportUrl = vhost.url;
    const { app } = await serve(appModule({ transportUrl }), { transportUrl });
    const clients = ['A', 'B'].map((name) => app.get<OsloClient>(getOsloClientToken(name), { strict: false }));
    const answers = await Promise.all([
      ...clients.map((client, index) => client.call('echo', { index })),
      lastValueFrom(app.get<ClientOsloRpc>('PROXY', { strict: false }).send('echo', { index: 2 })),
    ]);
    expect(answers).toEqual([{ index: 0 }, { index: 1 }, { index: 2 }]);
    await eventually(async () => (await vhost.listConnections()).length === 2);
    await app.close();
    await eventually(async () => (await vhost.listConnections()).length === 0);
    expect(await vhost.listQueues()).not.toContainEqual(
      expect.objectContaining({ name: expect.stringMatching(/^reply_|_fanout_/) }),
    );
  });

  it('are its own: a second application has two more', async () => {
    const transportUrl = vhost.url;
    await serve(appModule({ transportUrl }), { transportUrl, server: 'host1' });
    await serve(appModule({ transportUrl }), { transportUrl, server: 'host2' });
    await eventually(async () => (await vhost.listConnections()).length === 4);
  });
});

describe('a start without a broker', () => {
  async function unreachable(): Promise<string> {
    return vhost.urlVia({ port: await freePort() });
  }

  async function create(moduleOptions: OsloRpcModuleOptions, serverOptions: ServerOsloRpcOptions) {
    const server = newServer(serverOptions);
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(appModule(moduleOptions), {
      strategy: server,
      logger: false,
    });
    onTestFinished(() => app.close());
    return { app, server };
  }

  it.each([
    ['fail-fast', { startup: 'fail-fast' }],
    ['wait n seconds', { startup: 'wait', startupTimeoutMs: 2_000 }],
  ] as const)('fails with %s, naming host and reason and no password', async (_title, policy) => {
    const transportUrl = await unreachable();
    const { password } = vhost.address;
    const host = `127.0.0.1:${new URL(transportUrl).port}`;
    const ofModule = await create({ transportUrl, ...policy }, { transportUrl });
    const ofServer = await create({ transportUrl, startup: 'background' }, { transportUrl, ...policy });
    for (const { app } of [ofModule, ofServer]) {
      const error = await app.listen().then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error).toMatchObject({ name: 'MessageDeliveryFailure', host });
      expect(error?.message).toMatch(new RegExp(`${host}.*ECONNREFUSED`));
      expect(`${error?.message} ${error?.stack}`).not.toContain(`:${password}@`);
    }
  });

  it('names the broker that does not answer at all', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    onTestFinished(() => proxy.close());
    proxy.stall();
    const transportUrl = vhost.urlVia(proxy);
    const { app } = await create({ transportUrl, startupTimeoutMs: 300 }, { transportUrl });
    await expect(app.listen()).rejects.toMatchObject({ message: expect.stringContaining(`127.0.0.1:${proxy.port}`) });
  });

  it('serves as soon as the broker is there, when it starts in the background', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    onTestFinished(() => proxy.close());
    await proxy.refuse();
    const transportUrl = vhost.urlVia(proxy);
    const policy = { transportUrl, startup: 'background' } as const;
    const { app, server } = await create(policy, policy);
    const events = eventsOf(server);
    await app.listen();
    await eventually(() => events.some((event) => event.type === 'connection-changed' && event.to === 'disconnected'));
    await proxy.accept();
    await eventually(() => events.some((event) => event.type === 'lifecycle-changed' && event.to === 'started'));
    const client = app.get<OsloClient>(getOsloClientToken('A'), { strict: false });
    expect(await client.call('echo', { a: 1 })).toEqual({ a: 1 });
  });
});
