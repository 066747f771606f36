import { Controller, type INestApplicationContext, Inject, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, MessagePattern, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ClientOsloRpc, getOsloClientToken, InjectOsloClient, OsloClient, OsloRpcModule } from '../../../lib/index.js';
import type { MessageBroker as Broker } from '../../../lib/broker/broker.js';
import { moduleOf, newBusUrl, newServer, rootModule, serve } from './nest-apps.js';

@Controller()
class EchoController {
  @MessagePattern({ method: 'echo', version: '1.9' })
  echo(args: object) {
    return args;
  }
}

async function startContext(module: Type): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  onTestFinished(() => app.close());
  return app;
}

function osloClient(app: INestApplicationContext, name: string): OsloClient {
  return app.get<OsloClient>(getOsloClientToken(name), { strict: false });
}

const brokerOf = (client: { unwrap<T>(): T }): Broker => client.unwrap<Broker>();
const quiet = { logEvents: false, timeout: 3 };

describe('forFeature', () => {
  it("makes clients for their modules, with the root's options where they name none", async () => {
    const transportUrl = newBusUrl();
    await serve(rootModule([EchoController]), { transportUrl, exchange: 'nova', topic: 'conductor' });
    @Injectable()
    class Caller {
      constructor(@InjectOsloClient('CONDUCTOR') readonly conductor: OsloClient<EchoController>) {}
    }
    const feature = moduleOf({
      imports: [
        OsloRpcModule.forFeature([{ name: 'CONDUCTOR', topic: 'conductor', version: '1.0', timeout: undefined }]),
      ],
      providers: [Caller],
    });
    const other = moduleOf({
      imports: [OsloRpcModule.forFeature([{ name: 'ELSEWHERE', topic: 'x', exchange: 'glance', version: '1.4' }])],
    });
    const root = OsloRpcModule.forRoot({ ...quiet, transportUrl, exchange: 'nova', versionCap: '1.4' });
    const app = await startContext(moduleOf({ imports: [feature, other, root] }));
    const { conductor } = app.get(Caller, { strict: false });
    expect(await conductor.proxy().echo({ a: 1 })).toEqual({ a: 1 });
    expect(conductor.canSendVersion('1.5')).toBe(false);
    const elsewhere = osloClient(app, 'ELSEWHERE').prepare({ transportOptions: { atLeastOnce: true } });
    await expect(elsewhere.call('echo')).rejects.toMatchObject({ exchange: 'glance', routingKey: 'x' });
  });

  it('needs no forRoot, and lives with one that has no options', async () => {
    const transportUrl = newBusUrl();
    const features = [{ ...quiet, name: 'A', topic: 'a', transportUrl }];
    for (const imports of [[], [OsloRpcModule.forRoot()], [OsloRpcModule.forRoot(), OsloRpcModule.forRoot(quiet)]]) {
      const app = await startContext(moduleOf({ imports: [OsloRpcModule.forFeature(features), ...imports] }));
      expect(brokerOf(osloClient(app, 'A'))).toMatchObject({
        state: 'connected',
        url: expect.stringContaining(transportUrl),
      });
    }
  });

  it('closes its clients after the last handler has ended, and with them the connection', async () => {
    const transportUrl = newBusUrl();
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const started = vi.fn<() => void>();
    await serve(rootModule([EchoController]), { transportUrl, topic: 'echo' });
    @Controller()
    class RelayController {
      constructor(@InjectOsloClient('ECHO') private readonly echo: OsloClient) {}

      @MessagePattern('relay')
      async relay() {
        started();
        await finished;
        return this.echo.call('echo', { late: true });
      }
    }
    const { app, client } = await serve(
      moduleOf({
        controllers: [RelayController],
        imports: [
          OsloRpcModule.forRoot({ ...quiet, transportUrl }),
          OsloRpcModule.forFeature([{ name: 'ECHO', topic: 'echo' }]),
        ],
      }),
      { transportUrl, topic: 'conductor' },
    );
    const broker = brokerOf(osloClient(app, 'ECHO'));
    const answer = lastValueFrom(client.send('relay', {}));
    await vi.waitFor(() => expect(started).toHaveBeenCalled());
    const closed = app.close();
    setImmediate(finish);
    expect(await answer).toEqual({ late: true });
    await closed;
    expect(broker.state).toBe('closed');
  });

  it("lets tests put anything in a client's place", async () => {
    const ping = vi.fn<() => string>(() => 'pong');
    const imports = [OsloRpcModule.forFeature([{ name: 'A', topic: 'a' }])];
    const testing = Test.createTestingModule({ imports }).overrideProvider(getOsloClientToken('A')).useValue({ ping });
    const app = await (await testing.compile()).init();
    expect(app.get<{ ping(): string }>(getOsloClientToken('A'), { strict: false }).ping()).toBe('pong');
    await app.close();
  });

  it('refuses options that make no sense at the start', async () => {
    const features = [{ ...quiet, name: 'A', topic: 'a', transportUrl: newBusUrl(), timeout: -1 }];
    await expect(startContext(moduleOf({ imports: [OsloRpcModule.forFeature(features)] }))).rejects.toMatchObject({
      name: 'ConfigurationError',
    });
  });
});

describe('forRootAsync', () => {
  const transportUrl = newBusUrl();

  @Injectable()
  class Settings {
    createOsloRpcOptions() {
      return { ...quiet, transportUrl };
    }
  }
  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}

  it.each([
    ['useFactory', { inject: [Settings], useFactory: async (settings: Settings) => settings.createOsloRpcOptions() }],
    ['useExisting', { useExisting: Settings }],
    ['useClass', { useClass: Settings, imports: [] }],
  ])('takes its options from %s', async (_kind, options) => {
    const app = await startContext(
      moduleOf({
        imports: [
          OsloRpcModule.forFeature([{ name: 'A', topic: 'a' }]),
          OsloRpcModule.forRootAsync({ imports: [SettingsModule], ...options }),
        ],
      }),
    );
    expect(brokerOf(osloClient(app, 'A')).url).toContain(transportUrl);
  });

  it('needs one of the three', () => {
    expect(() => OsloRpcModule.forRootAsync({})).toThrow(/useFactory, useClass or useExisting/);
  });
});

describe('isGlobal: false', () => {
  it('gives its options to the features that import a module that exports it', async () => {
    const [urlA, urlB] = [newBusUrl(), newBusUrl()];
    const busModule = (transportUrl: string): Type => {
      const root = OsloRpcModule.forRoot({ ...quiet, transportUrl, isGlobal: false });
      return moduleOf({ imports: [root], exports: [root] });
    };
    const [busA, busB] = [busModule(urlA), busModule(urlB)];
    const app = await startContext(
      moduleOf({
        imports: [
          OsloRpcModule.forFeature([{ name: 'A', topic: 'a' }], { imports: [busA] }),
          OsloRpcModule.forFeature([{ name: 'B', topic: 'b' }], { imports: [busB], isGlobal: true }),
        ],
      }),
    );
    expect(['A', 'B'].map((name) => brokerOf(osloClient(app, name)).url)).toEqual([
      expect.stringContaining(urlA),
      expect.stringContaining(urlB),
    ]);
  });
});

describe('connections', () => {
  it('are shared by the clients and servers of one application, not by two', async () => {
    const transportUrl = newBusUrl();
    @Injectable()
    class Caller {
      constructor(@Inject('PROXY') readonly proxy: ClientOsloRpc) {}
    }
    const rootOfApp = (): Type =>
      moduleOf({
        controllers: [EchoController],
        providers: [Caller],
        imports: [
          OsloRpcModule.forRoot({ ...quiet, transportUrl }),
          OsloRpcModule.forFeature([
            { name: 'A', topic: 'conductor' },
            { name: 'B', topic: 'b' },
            { name: 'OTHER', topic: 'c', maxInFlightMessages: 5 },
            { name: 'SAME', topic: 'd', transportUrl: `${transportUrl}?heartbeat_timeout_threshold=60` },
          ]),
          ClientsModule.register([
            { name: 'PROXY', customClass: ClientOsloRpc, options: { ...quiet, transportUrl, topic: 'conductor' } },
          ]),
        ],
      });
    const [first, second] = [await serve(rootOfApp(), { transportUrl }), await serve(rootOfApp(), { transportUrl })];
    const brokersOf = ({ app, server }: typeof first): Broker[] => [
      brokerOf(server),
      ...['A', 'B', 'SAME', 'OTHER'].map((name) => brokerOf(osloClient(app, name))),
      brokerOf(app.get(Caller).proxy),
    ];
    const [server, a, b, same, other, proxy] = brokersOf(first);
    expect([a, b, same, proxy].map((broker) => broker === server)).toEqual([true, true, true, true]);
    expect(other).not.toBe(server);
    expect(brokersOf(second).filter((broker) => brokersOf(first).includes(broker))).toEqual([]);
    await first.app.close();
    expect([server, other].map((broker) => broker?.state)).toEqual(['closed', 'closed']);
    expect(await osloClient(second.app, 'A').call('echo', { a: 1 })).toEqual({ a: 1 });
  });

  it('are spoken of once in the log, however many share them', async () => {
    const lines: string[] = [];
    const note = (line: string): void => void lines.push(line);
    const logger = { log: note, warn: note, error: note };
    const transportUrl = newBusUrl();
    const imports = [OsloRpcModule.forFeature(['A', 'B'].map((name) => ({ name, topic: name, transportUrl })))];
    const app = await NestFactory.createApplicationContext(moduleOf({ imports }), { logger });
    await app.close();
    expect(lines.filter((line) => line.includes('Connected to'))).toHaveLength(1);
  });

  it('stay open for the clients when a server is closed on its own', async () => {
    const transportUrl = newBusUrl();
    await serve(rootModule([EchoController]), { transportUrl, topic: 'echo' });
    const imports = [OsloRpcModule.forFeature([{ ...quiet, name: 'ECHO', topic: 'echo', transportUrl }])];
    const { app, server } = await serve(rootModule([EchoController], { imports }), { transportUrl });
    await server.close();
    expect(await osloClient(app, 'ECHO').call('echo', { a: 1 })).toEqual({ a: 1 });
  });

  it('of a hybrid application are shared as well', async () => {
    const transportUrl = newBusUrl();
    const imports = [OsloRpcModule.forFeature([{ ...quiet, name: 'A', topic: 'conductor', transportUrl }])];
    const testing = await Test.createTestingModule({ imports: [rootModule([EchoController], { imports })] }).compile();
    const app = testing.createNestApplication({ logger: false });
    onTestFinished(() => app.close());
    const server = newServer({ transportUrl });
    app.connectMicroservice<MicroserviceOptions>({ strategy: server });
    await app.init();
    await app.startAllMicroservices();
    expect(brokerOf(server)).toBe(brokerOf(osloClient(app, 'A')));
    expect(await osloClient(app, 'A').call('echo', { a: 1 })).toEqual({ a: 1 });
  });
});
