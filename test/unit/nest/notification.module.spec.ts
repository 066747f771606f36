import { Controller, Get, Injectable, Logger, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { lastValueFrom } from 'rxjs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  currentRequestContext,
  getNotifierToken,
  InjectNotifier,
  InjectOsloClient,
  NotificationListeners,
  NotificationModule,
  type NotificationOptionsFactory,
  Notifier,
  OnNotification,
  OsloClient,
  OsloNotificationContext,
  OsloRpcModule,
  runWithRequestContext,
} from '../../../lib/index.js';
import { createMemoryBus } from '../../../lib/testing/index.js';
import { moduleOf, newBusUrl, newClient, newServer, startHybrid } from './nest-apps.js';
import { newRecordingLogger, notifyingModule, startNotifying } from './notification-apps.js';

const heard = vi.fn<(...what: unknown[]) => void>();

@Injectable()
class Listener {
  @OnNotification(['info', 'error'])
  on(@Payload() payload: unknown, @Ctx() { requestContext, publisherId }: OsloNotificationContext) {
    heard(payload, requestContext, publisherId);
  }
}

beforeEach(() => {
  heard.mockClear();
});

function takeHeard(): unknown[][] {
  const calls = heard.mock.calls.slice();
  heard.mockClear();
  return calls;
}

describe('forRootAsync', () => {
  const options = () => ({ driver: 'test' as const, publisherId: 'async.host', logEvents: false });

  @Injectable()
  class Factory implements NotificationOptionsFactory {
    createNotificationOptions = options;
  }
  const FactoryModule = { module: moduleOf({}), providers: [Factory], exports: [Factory] };

  it.each([
    [
      'useFactory',
      {
        imports: [FactoryModule],
        inject: [Factory],
        useFactory: (factory: Factory) => factory.createNotificationOptions(),
      },
    ],
    ['an asynchronous useFactory', { useFactory: async () => options() }],
    ['useClass', { useClass: Factory }],
    ['useExisting', { imports: [FactoryModule], useExisting: Factory }],
  ])('takes its options from %s', async (_, asynchronous) => {
    const root = moduleOf({ imports: [NotificationModule.forRootAsync(asynchronous)] });
    const app = await NestFactory.createApplicationContext(root, { logger: false });
    onTestFinished(() => app.close());
    const notifier = app.get(Notifier);
    await notifier.info('e', 1);
    expect(notifier.testLog.notifications).toMatchObject([{ publisherId: 'async.host', eventType: 'e', payload: 1 }]);
  });

  it('refuses to be without any', () => {
    expect(() => NotificationModule.forRootAsync({})).toThrow('useFactory');
  });
});

describe('forFeature', () => {
  it('makes named notifiers with the options of the root and their own', async () => {
    @Injectable()
    class Auditor {
      constructor(
        @InjectNotifier('AUDIT') readonly audit: Notifier,
        readonly notifier: Notifier,
      ) {}
    }
    @Injectable()
    class AuditListener {
      @OnNotification('audit', { topics: ['audit'], exchange: 'keystone' })
      on(payload: unknown, { publisherId }: OsloNotificationContext) {
        heard('audit', payload, publisherId);
      }
    }
    const feature = { name: 'AUDIT', topics: ['audit'], exchange: 'keystone', publisherId: undefined };
    const { app, notifier } = await startNotifying(
      { publisherId: 'api.host1' },
      { imports: [NotificationModule.forFeature([feature])], providers: [Auditor, AuditListener] },
    );
    const auditor = app.get(Auditor);
    expect(auditor.notifier).toBe(notifier);
    expect(auditor.audit).not.toBe(notifier);
    expect(app.get(getNotifierToken('AUDIT'), { strict: false })).toBe(auditor.audit);
    await auditor.notifier.audit('elsewhere', {});
    await auditor.audit.audit('e', { token: 'x' });
    await vi.waitFor(() => expect(heard).toHaveBeenCalled());
    expect(takeHeard()).toEqual([['audit', { token: 'x' }, 'api.host1']]);
    await app.close();
    await expect(auditor.audit.info('late', {})).rejects.toThrow('closed');
  });
});

it('is refused twice in an application', async () => {
  const twice = moduleOf({
    imports: [NotificationModule.forRoot({ driver: 'test' }), NotificationModule.forRoot({ driver: 'noop' })],
  });
  await expect(NestFactory.createApplicationContext(twice, { logger: false, abortOnError: false })).rejects.toThrow(
    'once',
  );
});

describe('drivers', () => {
  it("writes to Nest's logger, under the name of the event", async () => {
    const logger = newRecordingLogger();
    const { notifier } = await startNotifying({ driver: ['log', 'test'] }, { logger });
    onTestFinished(() => Logger.overrideLogger(false));
    const named = (name: string) => `oslo.messaging.notification.${name}`;
    await notifier.warn('disk.full', { password: 'hush' });
    await notifier.critical('disk.gone', {});
    expect(logger.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('"password":"***"'),
      named('disk.full'),
    );
    expect(logger.fatal).toHaveBeenCalledExactlyOnceWith(expect.any(String), named('disk.gone'));
  });

  it('needs no broker where no driver and no listener does', async () => {
    // Nobody listens there; a connection would be tried, and reported.
    const { notifier } = await startNotifying({ transportUrl: 'rabbit://127.0.0.1:1/', driver: 'test' }, {});
    expect(notifier.isEnabled()).toBe(true);
    await notifier.info('e', {});
    expect(notifier.testLog.notifications).toHaveLength(1);
  });

  it('may be one of the own', async () => {
    const notify = vi.fn<() => void>();
    const { notifier } = await startNotifying({ driver: [{ notify }, 'noop'] }, {});
    await notifier.sample('usage', { cpu: 1 });
    expect(notify).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ priority: 'sample', eventType: 'usage', payload: { cpu: 1 } }),
      expect.objectContaining({ retry: -1 }),
    );
  });
});

describe('the request context', () => {
  const admin = { user: 'u', project_id: 'p', auth_token: 'secret', password: 'x' };
  const reduced = { user: 'u', project_id: 'p', auth_token: null };

  it('travels by itself, reduced; one that is given wins', async () => {
    const { notifier } = await startNotifying({ driver: 'test' }, {});
    await runWithRequestContext(admin, () => notifier.info('ambient', {}));
    await runWithRequestContext(admin, () => notifier.info('given', {}, { context: { user: 'other' } }));
    await notifier.info('none', {});
    expect(notifier.testLog.notifications.map(({ context }) => context)).toEqual([reduced, { user: 'other' }, {}]);
  });

  it.each([
    ['same-transport', {}],
    ['never', {}],
    ['always', reduced],
  ] as const)('of another bus does not leave it, unless it is to (%s)', async (forwardContext, sent) => {
    const { notifier } = await startNotifying({ driver: 'test', forwardContext }, {});
    const elsewhere = { transportUrl: 'rabbit://elsewhere/' };
    await runWithRequestContext(admin, () => notifier.info('e', {}), elsewhere);
    expect(notifier.testLog.notifications.map(({ context }) => context)).toEqual([sent]);
  });

  it('of a notification goes on with what its listener sends, that of a batch does not', async () => {
    @Injectable()
    class Forwarding {
      constructor(private readonly notifier: Notifier) {}

      @OnNotification('info')
      async one() {
        await this.notifier.error('one', currentRequestContext() ?? null);
      }

      @OnNotification('info', { batch: { size: 1 } })
      async batch() {
        await this.notifier.error('batch', currentRequestContext() ?? null);
      }
    }
    const { notifier } = await startNotifying({}, { providers: [Forwarding, Listener] });
    await runWithRequestContext({ user: 'outer' }, () => notifier.info('e', {}, { context: admin }));
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(3));
    const publisher = expect.any(String) as string;
    expect(takeHeard()).toEqual(
      expect.arrayContaining([
        [{}, reduced, publisher],
        [reduced, reduced, publisher],
        [null, {}, publisher],
      ]),
    );
  });

  it('of a call goes with the notifications that its handler sends', async () => {
    @Controller()
    class Api {
      constructor(private readonly notifier: Notifier) {}

      @MessagePattern('work')
      async work() {
        await this.notifier.info('worked', {});
      }
    }
    const transportUrl = newBusUrl();
    const module = notifyingModule(
      { transportUrl },
      { controllers: [Api], providers: [Listener], imports: [OsloRpcModule.forRoot()] },
    );
    await startHybrid(module, { server: { transportUrl } });
    const client = newClient({ transportUrl, defaultContext: () => admin });
    await lastValueFrom(client.send('work', {}));
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    expect(takeHeard()).toEqual([[{}, reduced, expect.any(String)]]);
  });
});

describe('in an application', () => {
  it('works alone beside HTTP', async () => {
    @Controller()
    class Web {
      constructor(private readonly notifier: Notifier) {}

      @Get('/')
      async get() {
        await this.notifier.info('visited', { by: 'http' });
        return 'ok';
      }
    }
    const app = await NestFactory.create(notifyingModule({}, { controllers: [Web], providers: [Listener] }), {
      logger: false,
    });
    onTestFinished(() => app.close());
    await app.listen(0, '127.0.0.1');
    expect(await (await fetch(await app.getUrl())).text()).toBe('ok');
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    expect(takeHeard()).toEqual([[{ by: 'http' }, {}, expect.any(String)]]);
  });

  it('shares its connections with clients, servers and features on the same URL', async () => {
    const bus = createMemoryBus();
    onTestFinished(() => bus.close());
    @Injectable()
    class Client {
      constructor(@InjectOsloClient('CONDUCTOR') readonly client: OsloClient) {}
    }
    const transportUrl = bus.url;
    const module = notifyingModule(
      { transportUrl },
      {
        imports: [
          OsloRpcModule.forRoot({ transportUrl, logEvents: false }),
          OsloRpcModule.forFeature([{ name: 'CONDUCTOR', topic: 'conductor' }]),
          NotificationModule.forFeature([{ name: 'OTHER', topics: ['other'] }]),
        ],
        providers: [Client, Listener],
      },
    );
    const app = await NestFactory.create(module, { logger: false });
    onTestFinished(() => app.close());
    const server = newServer({ transportUrl });
    app.connectMicroservice<MicroserviceOptions>({ strategy: server });
    await app.startAllMicroservices();
    await app.init();
    const heardOf: string[] = [];
    const broker = server.unwrap();
    expect(app.get(Client).client.unwrap()).toBe(broker);
    broker.events.subscribe(({ type }) => heardOf.push(type));
    // Listeners and notifiers on the same broker report through it.
    await app.get(Notifier).prepare({ timeout: 5 }).info('e', {});
    await app.get(NotificationListeners).drain();
    const other = app.get<Notifier>(getNotifierToken('OTHER'), { strict: false });
    await expect(other.info('e', { toJSON: () => JSON.parse('no JSON') as unknown })).rejects.toThrow('JSON');
    expect(heardOf).toEqual(expect.arrayContaining(['lifecycle-changed', 'send-failed']));
  });

  it('lets running listeners end before the own modules are destroyed', async () => {
    let finish = (): void => undefined;
    const order: string[] = [];
    @Injectable()
    class Slow implements OnModuleDestroy {
      @OnNotification('info')
      async on() {
        order.push('begun');
        await new Promise<void>((resolve) => (finish = resolve));
        order.push('ended');
      }

      onModuleDestroy(): void {
        order.push('destroyed');
      }
    }
    const { app, notifier } = await startNotifying({}, { providers: [Slow] });
    await notifier.info('e', {});
    await vi.waitFor(() => expect(order).toEqual(['begun']));
    const closed = app.close();
    await new Promise((resolve) => setImmediate(resolve));
    finish();
    await closed;
    expect(order).toEqual(['begun', 'ended', 'destroyed']);
  });

  it('sends what was notified last before it ends, and refuses what comes later', async () => {
    const transportUrl = newBusUrl();
    await startNotifying({ transportUrl }, { providers: [Listener] });
    const { app, notifier } = await startNotifying({ transportUrl }, {});
    void notifier.info('last words', 'bye');
    await app.close();
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    expect(takeHeard()).toEqual([['bye', {}, expect.any(String)]]);
    await expect(notifier.info('too late', {})).rejects.toThrow('closed');
  });

  it('starts without its broker where it only notifies, and sends when it is there', async () => {
    const bus = createMemoryBus();
    onTestFinished(() => bus.close());
    bus.refuse();
    const { notifier } = await startNotifying({ transportUrl: bus.url }, {});
    const sent = notifier.info('kept', 1);
    expect(notifier.pending).toBe(1);
    bus.accept();
    await sent;
    expect(bus.messages('notifications.info')).toHaveLength(1);
  });

  it('starts without its broker where it is to, and listens when it is there', async () => {
    const bus = createMemoryBus();
    onTestFinished(() => bus.close());
    bus.refuse();
    const options = { transportUrl: bus.url, startup: 'background' as const };
    const { notifier } = await startNotifying(options, { providers: [Listener] });
    bus.accept();
    await notifier.info('e', 1);
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    takeHeard();
  });

  it('fails its start where it is to, and leaves nothing behind', async () => {
    const bus = createMemoryBus();
    onTestFinished(() => bus.close());
    bus.refuse();
    const module = notifyingModule({ transportUrl: bus.url, startup: 'fail-fast' }, { providers: [Listener] });
    const creating = NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    await expect(creating).rejects.toThrow('refuse');
    bus.accept();
    await new Promise((resolve) => setImmediate(resolve));
    expect(bus.queues).toEqual([]);
  });

  it('bears anything in place of the notifier', async () => {
    const info = vi.fn<() => void>();
    @Module({ imports: [NotificationModule.forRoot({ driver: 'noop' })] })
    class AppModule {}
    const testing = Test.createTestingModule({ imports: [AppModule] });
    const module = await testing.overrideProvider(Notifier).useValue({ info }).compile();
    await module.init();
    expect(module.get(Notifier)).toEqual({ info });
    await module.close();
  });
});

it('logs a failed notification once, and nobody need await it', async () => {
  const logger = newRecordingLogger();
  const failing = { notify: () => Promise.reject(new Error('no route')) };
  const { notifier } = await startNotifying({ driver: failing, logEvents: true }, { logger });
  onTestFinished(() => Logger.overrideLogger(false));
  void notifier.info('lost', {});
  await notifier.flushed();
  await vi.waitFor(() => expect(logger.error).toHaveBeenCalled());
  expect(logger.error).toHaveBeenCalledExactlyOnceWith(
    expect.stringMatching(/lost.*no route/),
    undefined,
    'OsloNotifier',
  );
});
