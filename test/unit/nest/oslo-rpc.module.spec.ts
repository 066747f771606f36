import {
  Controller,
  Get,
  Global,
  Inject,
  Injectable,
  Module,
  type OnModuleDestroy,
  Scope,
  UseInterceptors,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  ClientTCP,
  Ctx,
  MessagePattern,
  type MicroserviceOptions,
  type RequestContext,
  Transport,
} from '@nestjs/microservices';
import { catchError, lastValueFrom, tap, throwError } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { OsloEndpoint, OsloMethod, OsloRpcContext, OsloRpcModule } from '../../../lib/index.js';
import { moduleOf, newBusUrl, newServer, rootModule, serve, startHybrid } from './nest-apps.js';

class LostHost extends Error {}

describe('a hybrid application', () => {
  @Controller()
  class HybridController {
    @Get('hello')
    hello() {
      return 'over http';
    }

    @MessagePattern('hello')
    served() {
      return 'over the bus';
    }

    @MessagePattern({ cmd: 'tcp' })
    tcp() {
      return 'over tcp';
    }

    @MessagePattern('tcp_only', Transport.TCP)
    tcpOnly() {
      return 'over tcp only';
    }

    @MessagePattern('lost')
    lost() {
      throw new LostHost('host1');
    }
  }

  @OsloEndpoint()
  class BusEndpoint {
    @OsloMethod()
    bus_only() {
      return 'over the bus only';
    }
  }

  it.each([[true], [false]])(
    'keeps its halves and its error classes (inheritAppConfig %j)',
    async (inheritAppConfig) => {
      const { client, url } = await startHybrid(rootModule([HybridController]), { inheritAppConfig });
      expect(await (await fetch(`${url}/hello`)).text()).toBe('over http');
      expect(await lastValueFrom(client.send('hello', {}))).toBe('over the bus');
      await expect(lastValueFrom(client.send('lost', {}))).rejects.toMatchObject({ excType: 'LostHost' });
    },
  );

  it('leaves the handlers of another transport to it', async () => {
    const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } } as const;
    const { app, client } = await startHybrid(rootModule([HybridController, BusEndpoint]), { others: [tcp] });
    const { port } = app.getMicroservices()[1]!.unwrap<{ address(): { port: number } }>().address();
    const tcpClient = new ClientTCP({ host: '127.0.0.1', port });
    onTestFinished(() => tcpClient.close());
    expect(await lastValueFrom(tcpClient.send({ cmd: 'tcp' }, {}))).toBe('over tcp');
    expect(await lastValueFrom(tcpClient.send('tcp_only', {}))).toBe('over tcp only');
    expect(await lastValueFrom(client.send('hello', {}))).toBe('over the bus');
    await expect(lastValueFrom(client.send('tcp_only', {}))).rejects.toMatchObject({ name: 'NoSuchMethod' });
    expect(await lastValueFrom(client.send('bus_only', {}))).toBe('over the bus only');
    await expect(lastValueFrom(tcpClient.send({ method: 'bus_only' }, {}))).rejects.toMatch(
      'no matching message handler',
    );
  });
});

describe('the error keeper', () => {
  it('stands in front of the interceptors of the controller', async () => {
    @Controller()
    @UseInterceptors({
      intercept: (_context, next) =>
        next.handle().pipe(catchError((error: Error) => throwError(() => new LostHost(error.message)))),
    })
    class ConvertingController {
      @MessagePattern('convert')
      convert() {
        throw new RangeError('converted');
      }
    }
    const { client } = await serve(rootModule([ConvertingController]));
    await expect(lastValueFrom(client.send('convert', {}))).rejects.toMatchObject({
      excType: 'LostHost',
      remoteMessage: 'converted',
    });
  });

  it('is put in once, however many applications a controller serves', async () => {
    @Controller()
    class SharedController {
      @MessagePattern('shared')
      shared() {
        throw new LostHost('shared');
      }
    }
    for (const round of [1, 2, 3]) {
      const { client } = await serve(rootModule([SharedController]));
      await expect(lastValueFrom(client.send('shared', {})), `${round}`).rejects.toMatchObject({ excType: 'LostHost' });
    }
    const filtersOf = (target: object) => Reflect.getMetadata('__exceptionFilters__', target) as unknown[];
    expect(filtersOf(SharedController)).toHaveLength(1);
    expect(filtersOf(Reflect.get(SharedController.prototype, 'shared'))).toHaveLength(1);
  });

  it('serves request-scoped controllers', async () => {
    @Controller({ scope: Scope.REQUEST })
    class ScopedController {
      constructor(@Inject(REQUEST) private readonly request: RequestContext<unknown, OsloRpcContext>) {}

      @MessagePattern('scoped')
      scoped(@Ctx() context: OsloRpcContext) {
        return [this.request.getContext() === context, this.request.getData()];
      }

      @MessagePattern('lost')
      lost() {
        throw new LostHost('host1');
      }
    }
    const { client } = await serve(rootModule([ScopedController]));
    expect(await lastValueFrom(client.send('scoped', { a: 1 }))).toEqual([true, { a: 1 }]);
    await expect(lastValueFrom(client.send('lost', {}))).rejects.toMatchObject({ excType: 'LostHost' });
  });
});

describe('a shutdown', () => {
  /** Handlers that end when they are told to, and modules that note when they are destroyed. */
  function slowApplication() {
    const log: string[] = [];
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const started = vi.fn<() => void>();

    @Injectable()
    class Database implements OnModuleDestroy {
      onModuleDestroy() {
        log.push('database destroyed');
      }
    }
    @Global()
    @Module({ providers: [Database], exports: [Database] })
    class DatabaseModule {}
    @Controller()
    class SlowController implements OnModuleDestroy {
      @MessagePattern('slow')
      async slow() {
        started();
        await finished;
        log.push('handler ended');
        return 'done';
      }
      onModuleDestroy() {
        log.push('controller destroyed');
      }
    }
    const featureModule = moduleOf({ controllers: [SlowController], providers: [Database] });
    const root = moduleOf({ imports: [featureModule, DatabaseModule, OsloRpcModule.forRoot()], providers: [Database] });
    return { log, finish, root, started };
  }

  it("of a hybrid application drains before its own modules' onModuleDestroy", async () => {
    const { log, finish, root, started } = slowApplication();
    const { app, client } = await startHybrid(root);
    const answer = lastValueFrom(client.send('slow', {}).pipe(tap(() => log.push('caller answered'))));
    await vi.waitFor(() => expect(started).toHaveBeenCalled());
    const closed = app.close();
    setImmediate(finish);
    expect(await answer).toBe('done');
    await closed;
    expect(log.slice(0, 2)).toEqual(['handler ended', 'caller answered']);
    expect(log.slice(2).sort()).toEqual([
      'controller destroyed',
      'database destroyed',
      'database destroyed',
      'database destroyed',
    ]);
  });

  it('on a signal drains a standalone application, too', async () => {
    const { log, finish, root, started } = slowApplication();
    const { app, client } = await serve(root);
    const answer = lastValueFrom(client.send('slow', {}));
    await vi.waitFor(() => expect(started).toHaveBeenCalled());
    // Nest sends the signal to its process once more when all is done: that would end the test runner.
    const ended = vi.spyOn(process, 'kill').mockReturnValue(true);
    onTestFinished(() => ended.mockRestore());
    app.enableShutdownHooks(['SIGUSR2']);
    process.emit('SIGUSR2', 'SIGUSR2');
    setImmediate(finish);
    expect(await answer).toBe('done');
    await vi.waitFor(() => expect(ended).toHaveBeenCalledWith(process.pid, 'SIGUSR2'));
    expect(log[0]).toBe('handler ended');
  });

  it('leaves alone a server that never listened', async () => {
    const module = await Test.createTestingModule({ imports: [rootModule([])] }).compile();
    const app = module.createNestApplication({ logger: false });
    app.connectMicroservice<MicroserviceOptions>({ strategy: newServer({ transportUrl: newBusUrl() }) });
    await app.init();
    await expect(app.close()).resolves.toBeUndefined();
  });
});
