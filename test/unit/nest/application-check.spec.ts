import { type CanActivate, Controller, Injectable, type Type, type ModuleMetadata } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { Ctx, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { expect, it, onTestFinished } from 'vitest';
import {
  ExpectedExceptions,
  NotificationModule,
  OnNotification,
  OsloEndpoint,
  OsloMethod,
  OsloRpcContext,
  OsloRpcModule,
} from '../../../lib/index.js';
import { moduleOf, newBusUrl } from './nest-apps.js';
import { newRecordingLogger } from './notification-apps.js';

@OsloEndpoint()
class PingEndpoint {
  @OsloMethod()
  ping(@Payload('a') a: string, @Ctx() context: OsloRpcContext) {
    return [a, context.method];
  }
}

@Injectable()
class OpenGuard implements CanActivate {
  canActivate() {
    return true;
  }
}

const bus = () => OsloRpcModule.forRoot({ transportUrl: newBusUrl(), serve: { topic: 'conductor' } });

/** What a standalone microservice warns of. */
async function warningsOf(metadata: ModuleMetadata): Promise<string[]> {
  const logger = newRecordingLogger();
  const root = moduleOf({ ...metadata, imports: [bus(), ...(metadata.imports ?? [])] });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(root, {
    strategy: OsloRpcModule.strategy(),
    logger,
  });
  onTestFinished(() => app.close());
  await app.listen();
  return logger.warn.mock.calls.map(([line]) => String(line));
}

it('says nothing of an application that is right', async () => {
  @Injectable()
  class Listener {
    @OnNotification('info')
    onInfo(payload: unknown, context: unknown) {
      return [payload, context];
    }
  }
  const imports = [NotificationModule.forRoot()];
  expect(await warningsOf({ controllers: [PingEndpoint], providers: [Listener], imports })).toEqual([]);
});

it('an endpoint, or a method, under providers', async () => {
  @Injectable()
  class Plain {
    @OsloMethod()
    reload() {}
  }
  const lines = await warningsOf({ controllers: [PingEndpoint], providers: [Plain] });
  expect(lines).toEqual([expect.stringMatching(/^Plain\.reload .*provider.*'controllers'/)]);
  const endpoint = await warningsOf({ providers: [PingEndpoint] });
  expect(endpoint.join()).toMatch(/PingEndpoint is an @OsloEndpoint\(\) under 'providers'.*'controllers'/);
});

it('a pattern that no transport serves', async () => {
  const CELL1 = Symbol('cell1');
  @Controller()
  class UserController {
    @MessagePattern('user.created')
    created() {}
  }
  @OsloEndpoint({ transportId: CELL1 })
  class CellEndpoint {
    @OsloMethod()
    reload() {}
  }
  expect(await warningsOf({ controllers: [PingEndpoint, UserController, CellEndpoint] })).toEqual([
    expect.stringMatching(/^UserController\.created: no transport .* 'user\.created'.*@MessagePattern\(\{ method/),
    expect.stringMatching(/^CellEndpoint\.reload: no transport .*Symbol\(cell1\).*transportId/),
  ]);
});

it('a listener without NotificationModule', async () => {
  @Injectable()
  class Listener {
    @OnNotification('info')
    onInfo() {}
  }
  expect(await warningsOf({ controllers: [PingEndpoint], providers: [Listener] })).toEqual([
    expect.stringMatching(/^Listener\.onInfo .*NotificationModule\.forRoot/),
  ]);
});

it('parameters without a name, where there are several', async () => {
  @OsloEndpoint({ namespace: 'sums' })
  class SumEndpoint {
    @OsloMethod()
    one(args: { a: number }) {
      return args.a;
    }
    @OsloMethod()
    two(a: number, b: number) {
      return a + b;
    }
    @OsloMethod()
    mixed(@Payload('a') a: number, b: number) {
      return a + b;
    }
  }
  expect(await warningsOf({ controllers: [SumEndpoint] })).toEqual([
    expect.stringMatching(/^SumEndpoint\.two declares 2 .*number 2 will be undefined.*@Payload\('name'\)/),
    expect.stringMatching(/^SumEndpoint\.mixed declares 2 .*number 2/),
  ]);
});

it('expected exceptions of what nobody calls', async () => {
  @OsloEndpoint()
  class Endpoint {
    @OsloMethod()
    ping() {}
    @ExpectedExceptions(RangeError)
    helper() {}
  }
  expect(await warningsOf({ controllers: [Endpoint] })).toEqual([
    expect.stringMatching(/^Endpoint\.helper .*@OsloMethod/),
  ]);
});

/** What a hybrid application warns of. */
async function hybrid(
  controllers: Type[],
  { inheritAppConfig, late = false }: { inheritAppConfig?: boolean; late?: boolean },
): Promise<string[]> {
  const logger = newRecordingLogger();
  const providers = [{ provide: APP_GUARD, useClass: OpenGuard }];
  class LogInterceptor {
    intercept(_context: unknown, next: { handle(): never }) {
      return next.handle();
    }
  }
  const app = await NestFactory.create(moduleOf({ imports: [bus()], controllers, providers }), { logger });
  onTestFinished(() => app.close());
  if (!late) app.useGlobalInterceptors(new LogInterceptor());
  app.connectMicroservice<MicroserviceOptions>({ strategy: OsloRpcModule.strategy(app) }, { inheritAppConfig });
  if (late) app.useGlobalInterceptors(new LogInterceptor());
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  return logger.warn.mock.calls.map(([line]) => String(line));
}

it('global enhancers that a hybrid application does not inherit: APP_GUARD as well as useGlobalInterceptors', async () => {
  expect(await hybrid([PingEndpoint], {})).toEqual([
    expect.stringMatching(/guards OpenGuard; interceptors LogInterceptor .*inheritAppConfig: true/),
  ]);
  expect(await hybrid([PingEndpoint], { inheritAppConfig: true })).toEqual([]);
});

it('global enhancers that come too late to be inherited', async () => {
  expect(await hybrid([PingEndpoint], { inheritAppConfig: true, late: true })).toEqual([
    expect.stringMatching(/global interceptors LogInterceptor .*before connectMicroservice/),
  ]);
});

it('an HTTP application without a microservice', async () => {
  const logger = newRecordingLogger();
  const app = await NestFactory.create(moduleOf({ imports: [bus()], controllers: [PingEndpoint] }), { logger });
  onTestFinished(() => app.close());
  await app.listen(0, '127.0.0.1');
  expect(logger.warn.mock.calls.map(([line]) => String(line))).toEqual([
    expect.stringMatching(/^PingEndpoint\.ping: no transport .*connectMicroservice.*startAllMicroservices/),
  ]);
});

it('a microservice that is connected, and not started when the application listens', async () => {
  const logger = newRecordingLogger();
  const app = await NestFactory.create(moduleOf({ imports: [bus()], controllers: [PingEndpoint] }), { logger });
  onTestFinished(() => app.close());
  app.connectMicroservice<MicroserviceOptions>({ strategy: OsloRpcModule.strategy() });
  await app.listen(0, '127.0.0.1');
  expect(logger.warn.mock.calls.map(([line]) => String(line))).toEqual([
    expect.stringMatching(/ServerOsloRpc is not started.*startAllMicroservices\(\) before app\.listen\(\)/),
  ]);
});
