import {
  Catch,
  Controller,
  ForbiddenException,
  Inject,
  Injectable,
  type INestMicroservice,
  NotFoundException,
  type PipeTransform,
  Scope,
  type Type,
  UnauthorizedException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { BaseRpcExceptionFilter, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { catchError, lastValueFrom, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type ClientOsloRpc, OsloEndpoint, OsloMethod } from '../../../lib/index.js';
import { rootModule, serve, startHybrid } from './nest-apps.js';

class HostNotFound extends Error {}

/** `module.Class: message` of what a caller gets, or its answer. */
function outcomeOf(client: ClientOsloRpc, method: string, args: object = {}): Promise<unknown> {
  return lastValueFrom(client.send(method, args)).catch(
    ({ excType, module, remoteMessage }) => `${module}.${excType}: ${remoteMessage}`,
  );
}

function refuseWith(error: Error): () => never {
  return () => {
    throw error;
  };
}

@Injectable()
class RefusingPipe implements PipeTransform {
  transform = refuseWith(new RangeError('refused by a pipe'));
}

@Injectable({ scope: Scope.REQUEST })
class BrokenProvider {
  constructor() {
    throw new HostNotFound('not made');
  }
}

/** An error from every place of Nest's pipeline; new classes each time, for what is prepared once stays so. */
function failingControllers(Endpoint: () => ClassDecorator): Type[] {
  @Endpoint()
  class FailingController {
    @OsloMethod()
    handler() {
      throw new HostNotFound('host1');
    }

    @OsloMethod()
    stream() {
      return throwError(() => new HostNotFound('torn'));
    }

    @OsloMethod()
    @UseGuards({ canActivate: refuseWith(new ForbiddenException('not your host')) })
    forbidden() {}

    @OsloMethod()
    @UseGuards({ canActivate: refuseWith(new HostNotFound('guarded')) })
    guard() {}

    @OsloMethod()
    @UseGuards({ canActivate: () => false })
    refused() {}

    @OsloMethod()
    @UsePipes(RefusingPipe)
    pipe(@Payload() _args: unknown) {}

    @OsloMethod()
    @UseInterceptors({ intercept: refuseWith(new HostNotFound('intercepted')) })
    interceptor() {}

    @OsloMethod()
    rpc_exception() {
      throw new RpcException('said so');
    }

    @OsloMethod()
    http_exception() {
      throw new NotFoundException('no such host');
    }
  }

  @Endpoint()
  class ScopedController {
    constructor(@Inject(BrokenProvider) _broken: BrokenProvider) {}

    @OsloMethod()
    scoped() {}
  }
  return [FailingController, ScopedController];
}

const CLASSES = {
  handler: 'nestjs.HostNotFound: host1',
  stream: 'nestjs.HostNotFound: torn',
  forbidden: 'builtins.PermissionError: not your host',
  guard: 'nestjs.HostNotFound: guarded',
  refused: 'builtins.PermissionError: Forbidden resource',
  pipe: 'builtins.ValueError: refused by a pipe',
  interceptor: 'nestjs.HostNotFound: intercepted',
  rpc_exception: 'builtins.Exception: said so',
  http_exception: 'builtins.LookupError: no such host',
  scoped: 'nestjs.HostNotFound: not made',
};

describe.each<[string, () => ClassDecorator, boolean]>([
  ['of @Controller()s, with OsloRpcModule,', () => Controller(), true],
  ['of @OsloEndpoint()s, with OsloRpcModule,', () => OsloEndpoint() as ClassDecorator, true],
  ['of @OsloEndpoint()s, without OsloRpcModule,', () => OsloEndpoint() as ClassDecorator, false],
])('errors %s keep their classes', (_name, Endpoint, keeper) => {
  const root = (): Type => rootModule(failingControllers(Endpoint), { keeper, providers: [BrokenProvider] });

  async function expectAllKept(client: ClientOsloRpc): Promise<void> {
    const outcomes: Record<string, unknown> = {};
    for (const method of Object.keys(CLASSES)) outcomes[method] = await outcomeOf(client, method);
    expect(outcomes).toEqual(CLASSES);
  }

  it('standalone', async () => {
    const { client, events } = await serve(root());
    await expectAllKept(client);
    expect(events.filter(({ type }) => type === 'error-class-lost')).toEqual([]);
  });

  it.each([[true], [false]])('in a hybrid application (inheritAppConfig %j)', async (inheritAppConfig) => {
    const { client } = await startHybrid(root(), { inheritAppConfig });
    await expectAllKept(client);
  });
});

describe('errors of global enhancers', () => {
  @OsloEndpoint()
  class PlainEndpoint {
    @OsloMethod()
    plain() {
      throw new RangeError('host1');
    }
  }
  const hostNotFound = new HostNotFound('from afar');
  const refusing = { canActivate: refuseWith(new UnauthorizedException('who are you?')) };
  const converting = {
    intercept: (_context: unknown, next: { handle(): ReturnType<typeof throwError> }) =>
      next.handle().pipe(catchError(() => throwError(() => hostNotFound))),
  };

  it.each<[string, object, string]>([
    ['APP_GUARD', { provide: APP_GUARD, useValue: refusing }, 'builtins.PermissionError: who are you?'],
    ['APP_INTERCEPTOR', { provide: APP_INTERCEPTOR, useValue: converting }, 'nestjs.HostNotFound: from afar'],
  ])('%s keep their classes', async (_name, provider, expected) => {
    const { client } = await serve(rootModule([PlainEndpoint], { providers: [provider as never] }));
    expect(await outcomeOf(client, 'plain')).toBe(expected);
  });

  it.each<[string, (app: INestMicroservice) => void, string]>([
    ['useGlobalGuards', (app) => app.useGlobalGuards(refusing), 'builtins.PermissionError: who are you?'],
    ['useGlobalInterceptors', (app) => app.useGlobalInterceptors(converting), 'nestjs.HostNotFound: from afar'],
  ])('%s keep their classes', async (_name, configure, expected) => {
    const { client } = await serve(rootModule([PlainEndpoint]), {}, configure);
    expect(await outcomeOf(client, 'plain')).toBe(expected);
  });
});

describe('a user’s own filter', () => {
  @Catch(RangeError)
  class RangeFilter {
    catch(error: RangeError) {
      return throwError(() => new RpcException(`filtered ${error.message}`));
    }
  }
  @Catch()
  class DelegatingFilter extends BaseRpcExceptionFilter {}

  const failing = (...decorators: MethodDecorator[]): Type => {
    @OsloEndpoint()
    class FailingEndpoint {
      @OsloMethod()
      range() {
        throw new RangeError('host1');
      }
      @OsloMethod()
      other() {
        throw new TypeError('host2');
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(FailingEndpoint.prototype, 'range')!;
    for (const decorate of decorators) decorate(FailingEndpoint.prototype, 'range', descriptor);
    return FailingEndpoint;
  };

  it.each<[string, () => Promise<ClientOsloRpc>]>([
    ['at its method', async () => (await serve(rootModule([failing(UseFilters(RangeFilter))]))).client],
    [
      'at its controller',
      async () => {
        const Endpoint = failing();
        UseFilters(RangeFilter)(Endpoint);
        return (await serve(rootModule([Endpoint]))).client;
      },
    ],
    [
      'as APP_FILTER',
      async () => {
        const providers = [{ provide: APP_FILTER, useClass: RangeFilter }];
        return (await serve(rootModule([failing()], { providers }))).client;
      },
    ],
    [
      'of useGlobalFilters',
      async () => (await serve(rootModule([failing()]), {}, (app) => app.useGlobalFilters(new RangeFilter()))).client,
    ],
    [
      'inherited by a hybrid application',
      async () => {
        const providers = [{ provide: APP_FILTER, useClass: RangeFilter }];
        return (await startHybrid(rootModule([failing()], { providers }), { inheritAppConfig: true })).client;
      },
    ],
  ])('%s decides what callers get', async (_name, start) => {
    const client = await start();
    expect(await outcomeOf(client, 'range')).toBe('builtins.Exception: filtered host1');
    expect(await outcomeOf(client, 'other')).toBe('builtins.TypeError: host2');
  });

  it('loses no class by ending with Nest’s own', async () => {
    const { client } = await serve(rootModule([failing(UseFilters(DelegatingFilter))]));
    expect(await outcomeOf(client, 'range')).toBe('builtins.ValueError: host1');
  });

  it.each<[string, (Endpoint: Type) => void]>([
    [
      'its method',
      ({ prototype }) =>
        void UseFilters(DelegatingFilter)(prototype, 'range', Object.getOwnPropertyDescriptor(prototype, 'range')!),
    ],
    ['its controller', (Endpoint) => UseFilters(DelegatingFilter)(Endpoint)],
  ])('at %s loses no class of a guard by ending with Nest’s own', async (_name, decorate) => {
    @Controller()
    class GuardedController {
      @OsloMethod()
      @UseGuards({ canActivate: refuseWith(new HostNotFound('guarded')) })
      range() {}
    }
    decorate(GuardedController);
    const { client, events } = await serve(rootModule([GuardedController]));
    expect(await outcomeOf(client, 'range')).toBe('nestjs.HostNotFound: guarded');
    expect(events.filter(({ type }) => type === 'error-class-lost')).toEqual([]);
  });
});

it('plain controllers without the module lose classes to Nest’s default filter', async () => {
  @Controller()
  class UnkeptController {
    @MessagePattern('handler')
    handler() {
      throw new HostNotFound('host1');
    }
  }
  const { client } = await serve(rootModule([UnkeptController], { keeper: false }));
  expect(await outcomeOf(client, 'handler')).toBe('builtins.Exception: Internal server error');
});
