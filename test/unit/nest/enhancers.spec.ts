import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  Scope,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  APP_GUARD,
  APP_INTERCEPTOR,
  type ContextId,
  ContextIdFactory,
  type ContextIdResolver,
  type ContextIdStrategy,
  type HostComponentInfo,
  Reflector,
  REQUEST,
} from '@nestjs/core';
import { CONTEXT, Ctx, Payload, type RequestContext } from '@nestjs/microservices';
import { from, lastValueFrom, map, of, Subject } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type ClientOsloRpc,
  OsloEndpoint,
  OsloMethod,
  OsloRpcContext,
  OsloRpcRecordBuilder,
} from '../../../lib/index.js';
import { rootModule, serve } from './nest-apps.js';

const call = (client: ClientOsloRpc, method: string, args: object = {}): Promise<unknown> =>
  lastValueFrom(client.send(method, args));

describe('guards and interceptors', () => {
  const log: string[] = [];

  const guard = (name: string): CanActivate => ({
    canActivate: () => {
      log.push(`guard ${name}`);
      return true;
    },
  });
  const interceptor = (name: string): NestInterceptor => ({
    intercept: (_context: ExecutionContext, next: CallHandler) => {
      log.push(`before ${name}`);
      return next.handle().pipe(map((result) => `${String(result)}, ${name}`));
    },
  });

  @OsloEndpoint()
  @UseGuards(guard('of controller'))
  @UseInterceptors(interceptor('of controller'))
  class GuardedEndpoint {
    @OsloMethod()
    @UseGuards(guard('of method'))
    @UseInterceptors(interceptor('of method'))
    guarded() {
      log.push('handler');
      return 'result';
    }
  }

  it('run at all levels, in Nest’s order', async () => {
    log.length = 0;
    const providers = [
      { provide: APP_GUARD, useValue: guard('of app') },
      { provide: APP_INTERCEPTOR, useValue: interceptor('of app') },
    ];
    const { client } = await serve(rootModule([GuardedEndpoint], { providers }), {}, (app) => {
      app.useGlobalGuards(guard('global'));
      app.useGlobalInterceptors(interceptor('global'));
    });
    expect(await call(client, 'guarded')).toBe('result, of method, of controller, global, of app');
    expect(log).toEqual([
      'guard of app',
      'guard global',
      'guard of controller',
      'guard of method',
      'before of app',
      'before global',
      'before of controller',
      'before of method',
      'handler',
    ]);
  });

  it('see the request, its handler and its metadata', async () => {
    const Roles = Reflector.createDecorator<string[]>();
    @Injectable()
    class RolesGuard implements CanActivate {
      constructor(private readonly reflector: Reflector) {}
      canActivate(execution: ExecutionContext) {
        const { requestContext } = execution.switchToRpc().getContext<OsloRpcContext>();
        const roles = requestContext.roles as string[] | undefined;
        const needed = this.reflector.get(Roles, execution.getHandler());
        return needed.every((role) => roles?.includes(role));
      }
    }
    @OsloEndpoint()
    @UseGuards(RolesGuard)
    class RoleEndpoint {
      @OsloMethod()
      @Roles(['admin'])
      admin_only(@Payload('n') n: number) {
        return n;
      }
    }
    const { client } = await serve(rootModule([RoleEndpoint]));
    const as = (roles: string[]) => new OsloRpcRecordBuilder({ n: 1 }).setContext({ roles }).build();
    expect(await call(client, 'admin_only', as(['admin', 'member']))).toBe(1);
    await expect(call(client, 'admin_only', as(['member']))).rejects.toMatchObject({ excType: 'PermissionError' });
  });
});

describe('request-scoped providers', () => {
  const made = vi.fn<() => void>();

  @Injectable({ scope: Scope.REQUEST })
  class Audit {
    readonly lines: string[] = [];
    constructor(
      @Inject(REQUEST) private readonly request: RequestContext<{ n: number }, OsloRpcContext>,
      @Inject(CONTEXT) private readonly same: RequestContext<{ n: number }, OsloRpcContext>,
    ) {
      made();
    }
    describe(): unknown[] {
      const { data, context } = this.request;
      return [data.n, context!.method, context!.requestContext.user_id, this.same === this.request, this.lines.length];
    }
  }

  @OsloEndpoint()
  class AuditedEndpoint {
    constructor(private readonly audit: Audit) {}

    @OsloMethod()
    async audited(@Payload('n') n: number, @Ctx() context: OsloRpcContext) {
      this.audit.lines.push(`call ${n}`);
      await new Promise((resolve) => setImmediate(resolve));
      return [...this.audit.describe(), context.args];
    }
  }

  it('are made for each request, which they can have injected', async () => {
    made.mockClear();
    const { client } = await serve(rootModule([AuditedEndpoint], { providers: [Audit] }));
    const numbers = [1, 2, 3];
    const answers = await Promise.all(
      numbers.map((n) => {
        return call(client, 'audited', new OsloRpcRecordBuilder({ n }).setContext({ user_id: `u${n}` }).build());
      }),
    );
    expect(answers).toEqual(numbers.map((n) => [n, 'audited', `u${n}`, true, 1, { n }]));
    expect(made).toHaveBeenCalledTimes(3);
  });
});

describe('durable providers', () => {
  /** One sub-tree of providers for each project, as in Nest's documentation. */
  class ByProject implements ContextIdStrategy<RequestContext<unknown, OsloRpcContext>> {
    private readonly projects = new Map<string, ContextId>();

    attach(contextId: ContextId, request: RequestContext<unknown, OsloRpcContext>): ContextIdResolver {
      const project = String(request.context!.requestContext.project_id);
      const known = this.projects.get(project) ?? ContextIdFactory.create();
      this.projects.set(project, known);
      return {
        resolve: (info: HostComponentInfo) => (info.isTreeDurable ? known : contextId),
        payload: { project },
      };
    }
  }

  @Injectable({ scope: Scope.REQUEST, durable: true })
  class Quota {
    private used = 0;
    constructor(@Inject(REQUEST) private readonly tenant: { project: string }) {}
    use(): [string, number] {
      this.used += 1;
      return [this.tenant.project, this.used];
    }
  }

  @OsloEndpoint({ scope: Scope.REQUEST, durable: true })
  class QuotaEndpoint {
    constructor(private readonly quota: Quota) {}

    @OsloMethod()
    use() {
      return this.quota.use();
    }
  }

  it('live on from request to request of their own', async () => {
    ContextIdFactory.apply(new ByProject());
    onTestFinished(() => ContextIdFactory.apply(undefined as never));
    const { client } = await serve(rootModule([QuotaEndpoint], { providers: [Quota] }));
    const use = (project_id: string) => {
      return call(client, 'use', new OsloRpcRecordBuilder().setContext({ project_id }).build());
    };
    expect([await use('a'), await use('b'), await use('a')]).toEqual([
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ]);
  });
});

describe('results of an endpoint', () => {
  const later = new Subject<string>();

  @OsloEndpoint()
  class ResultEndpoint {
    @OsloMethod()
    plain() {
      return { list: [1, null, 'x'] };
    }
    @OsloMethod()
    async promise() {
      return 'kept';
    }
    @OsloMethod()
    stream() {
      return from([1, 2, 3]);
    }
    @OsloMethod()
    async promised_stream() {
      return of('last');
    }
    @OsloMethod()
    nothing() {}
    @OsloMethod()
    later() {
      setImmediate(() => {
        later.next('first');
        later.next('second');
        later.complete();
      });
      return later;
    }
  }

  it.each([
    ['plain', { list: [1, null, 'x'] }],
    ['promise', 'kept'],
    ['stream', 3],
    ['promised_stream', 'last'],
    ['nothing', null],
    ['later', 'second'],
  ])('%s: one answer', async (method, answer) => {
    const { client } = await serve(rootModule([ResultEndpoint], { keeper: false }));
    expect(await call(client, method)).toEqual(answer);
  });
});
