import { Controller, type DynamicModule, type INestApplication } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  ConfigurationError,
  connectBroker,
  getNotifierToken,
  getOsloClientToken,
  loadOsloConfig,
  NotificationListener,
  NotificationModule,
  Notifier,
  type OsloClient,
  OsloRpcModule,
  ServerOsloRpc,
} from '../../../lib/index.js';
import { newBusUrl } from './nest-apps.js';

let directory: string;
let written = 0;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'config-file-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string): string {
  const path = join(directory, `${(written += 1)}.conf`);
  writeFileSync(path, text);
  return path;
}

@Controller()
class ConductorController {
  @MessagePattern('ping')
  ping() {
    return 'pong';
  }
}

async function start(imports: DynamicModule[], controllers: (typeof ConductorController)[] = []) {
  const module = await Test.createTestingModule({ imports, controllers }).compile();
  const app = module.createNestApplication({ logger: false });
  onTestFinished(() => app.close());
  return app;
}

/** The event types that listeners on a bus hear of. */
async function heardOn(url: string, exchange: string): Promise<string[]> {
  const broker = await connectBroker(url);
  const heard: string[] = [];
  const handler = ({ eventType }: { eventType?: string }) => void heard.push(String(eventType));
  const listener = new NotificationListener(broker, [{ priorities: 'info', exchange, handler }]);
  await listener.start();
  onTestFinished(async () => {
    await listener.close();
    await broker.close();
  });
  return heard;
}

async function notified(app: INestApplication, heard: string[]): Promise<string[]> {
  await app.init();
  await app.get(Notifier).info('x.y', {});
  await app.close();
  return heard;
}

describe('configFile', () => {
  it('says to servers, clients and notifiers what code does not', async () => {
    const url = newBusUrl();
    const configFile = write(
      `[DEFAULT]\ntransport_url = ${url}\ncontrol_exchange = nova\n[oslo_messaging_notifications]\ndriver = messagingv2\n`,
    );
    const heard = await heardOn(url, 'nova');
    const app = await start(
      [
        OsloRpcModule.forRoot({ configFile }),
        OsloRpcModule.forFeature([{ name: 'CONDUCTOR', topic: 'conductor' }]),
        NotificationModule.forRoot({ configFile: loadOsloConfig(configFile), publisherId: 'x' }),
      ],
      [ConductorController],
    );
    app.connectMicroservice({ strategy: new ServerOsloRpc({ configFile, topic: 'conductor', logEvents: false }) });
    await app.startAllMicroservices();
    await app.init();
    const client = app.get<OsloClient>(getOsloClientToken('CONDUCTOR'));
    expect(await client.call('ping', {})).toBe('pong');
    expect(await notified(app, heard)).toEqual(['x.y']);
  });

  it('may name another bus for notifications than for calls', async () => {
    const [calls, notifications] = [newBusUrl(), newBusUrl()];
    const configFile = write(
      `[DEFAULT]\ntransport_url = ${calls}\n[oslo_messaging_notifications]\ntransport_url = ${notifications}\n` +
        'driver = messagingv2\n',
    );
    const [wrong, heard] = [await heardOn(calls, 'openstack'), await heardOn(notifications, 'openstack')];
    const imports = [OsloRpcModule.forRoot({ configFile }), NotificationModule.forRoot({ configFile })];
    expect(await notified(await start(imports), heard)).toEqual(['x.y']);
    expect(wrong).toEqual([]);
  });

  it('is below the URL, and that below code', async () => {
    const query = 'heartbeat_timeout_threshold=20&rabbit_qos_prefetch_count=20';
    const configFile = write(
      `[DEFAULT]\ntransport_url = ${newBusUrl()}?${query}\nexecutor_thread_pool_size = 7\n[oslo_messaging_rabbit]\n` +
        'rabbit_transient_queues_ttl = 10\nheartbeat_timeout_threshold = 10\nrabbit_qos_prefetch_count = 10\n',
    );
    const server = new ServerOsloRpc({ configFile, topic: 't', heartbeatTimeoutThreshold: 30, logEvents: false });
    const { options } = server as unknown as { options: { broker: object; rpc: object } };
    expect(options.broker).toEqual({
      rabbitTransientQueuesTtl: 10,
      rabbitQosPrefetchCount: 20,
      heartbeatTimeoutThreshold: 30,
    });
    expect(options.rpc).toMatchObject({ executorThreadPoolSize: 7 });
  });

  it('without a driver lets no notification out, unless code names one', async () => {
    const url = newBusUrl();
    const configFile = write(`[DEFAULT]\ntransport_url = ${url}\n`);
    const heard = await heardOn(url, 'openstack');
    expect(await notified(await start([NotificationModule.forRoot({ configFile })]), heard)).toEqual([]);
    const named = NotificationModule.forRoot({ configFile, driver: 'messagingv2' });
    expect(await notified(await start([named]), heard)).toEqual(['x.y']);
  });

  it.each([
    [
      '[oslo_messaging_notifications]\ndriver = smoke\n',
      /driver in \[oslo_messaging_notifications\] of .* must be one of/,
    ],
    ['[oslo_messaging_rabbit]\nssl = maybe\n', /Option ssl in \[oslo_messaging_rabbit\] of/],
  ])('that makes no sense fails the start: %j', async (text, message) => {
    const configFile = write(text);
    const starting = start([NotificationModule.forRoot({ configFile })]).then((app) => app.init());
    await expect(starting).rejects.toBeInstanceOf(ConfigurationError);
    await expect(starting).rejects.toThrow(message);
  });

  it('of a feature is another bus than that of the root', async () => {
    const url = newBusUrl();
    const configFile = write(
      `[DEFAULT]\ntransport_url = ${url}\n[oslo_messaging_notifications]\ndriver = messagingv2\n`,
    );
    const heard = await heardOn(url, 'openstack');
    const app = await start([
      OsloRpcModule.forRoot({ transportUrl: newBusUrl(), rabbitQosPrefetchCount: 3 }),
      NotificationModule.forRoot(),
      NotificationModule.forFeature([{ name: 'CINDER', configFile, publisherId: 'x' }]),
    ]);
    await app.init();
    await app.get<Notifier>(getNotifierToken('CINDER'), { strict: false }).info('x.y', {});
    expect(heard).toEqual(['x.y']);
  });

  it.each([[''], [[7]], [{}], [null], [{ files: [], notes: [] }]])('is no %j', (configFile) => {
    expect(() => new ServerOsloRpc({ configFile: configFile as string })).toThrow(ConfigurationError);
  });
});

describe.each([
  ['OsloRpcModule.forRoot', (options: object) => OsloRpcModule.forRoot(options)],
  ['OsloRpcModule.forRootAsync', (options: object) => OsloRpcModule.forRootAsync({ useFactory: () => options })],
  ['NotificationModule.forRoot', (options: object) => NotificationModule.forRoot(options)],
  [
    'NotificationModule.forRootAsync',
    (options: object) => NotificationModule.forRootAsync({ useFactory: () => options }),
  ],
])('%s without any client fails the start over', (_, root) => {
  it.each([
    [{ configFile: '/no/such.conf' }, 'The configuration file /no/such.conf cannot be read: ENOENT'],
    [{ transportUrl: 'qpid://u:secret@h/' }, "there is no driver 'qpid'"],
    [{ transportUrl: 'rabbit://h/?no_such=1' }, "The transport URL has no option 'no_such'"],
    [{ rabbitHaQueues: true, rabbitQuorumQueue: true }, 'Option rabbitHaQueues is true, and so is rabbitQuorumQueue'],
    [{ rabbitStreamFanout: true }, 'needs rabbitTransientQuorumQueue to be true'],
  ])('%j', async (options, message) => {
    const starting = (async () => {
      const app = await start([root(options)]);
      await app.init();
    })();
    await expect(starting).rejects.toThrow(message);
    await expect(starting).rejects.not.toThrow('secret');
  });
});

describe('a NotificationModule that names no bus', () => {
  it('is on that of OsloRpcModule', async () => {
    const url = newBusUrl();
    const heard = await heardOn(url, 'openstack');
    const imports = [OsloRpcModule.forRoot({ transportUrl: url }), NotificationModule.forRoot()];
    expect(await notified(await start(imports), heard)).toEqual(['x.y']);
  });

  it('is on that of its configuration file', async () => {
    const url = newBusUrl();
    const heard = await heardOn(url, 'openstack');
    const configFile = write(`[DEFAULT]\ntransport_url = ${url}\n`);
    const options = { useFactory: () => ({ configFile }) };
    const imports = [OsloRpcModule.forRootAsync(options), NotificationModule.forRootAsync({ useFactory: () => ({}) })];
    expect(await notified(await start(imports), heard)).toEqual(['x.y']);
  });
});
